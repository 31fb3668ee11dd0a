import { describe, expect, it } from '@jest/globals';

import { encodeFrameTable, FRAMES_MAX } from '#archive/frames/frame-table.js';

import { checkFragmentBytesMax, hasRoomForFrame } from './fragment-room.js';
import { HardLinks } from './hard-links.js';
import { Notes } from './notes.js';

const MIB = 2 ** 20;

describe('hard links', () => {
  const times = { mtimeSeconds: 1, mtimeNanos: 2, ctimeSeconds: 3, ctimeNanos: 4 };
  const first = { path: 'a\n', offset: 0, length: 1024, size: 1, ...times };

  it('are forgotten with their last link', () => {
    const links = new HardLinks();
    links.add('1 2', first, 3);
    expect(links.take('1 2')).toMatchObject(first);
    expect(links.tracked).toBe(1);
    expect(links.take('1 2')).toMatchObject(first);
    expect(links.tracked).toBe(0);
    expect(links.take('1 2')).toBeUndefined();
  });

  it('become the same again from their journal', () => {
    const links = new HardLinks();
    links.add('1 2', first, 3);
    links.add('1 3', first, 2);
    let journal = links.takeJournal();
    links.take('1 2');
    links.take('1 3');
    journal += links.takeJournal();
    const again = new HardLinks();
    for (const line of journal.split('\n')) again.replay(line);
    expect(again.tracked).toBe(1);
    expect(again.take('1 3')).toBeUndefined();
    expect(again.take('1 2')).toMatchObject(first);
    expect(again.take('1 2')).toBeUndefined();
  });

  it('beyond the limit are not remembered', () => {
    const links = new HardLinks(1);
    links.add('1', first, 2);
    expect(links.overflowed).toBe(false);
    links.add('2', first, 2);
    expect(links.overflowed).toBe(true);
    expect(links.take('2')).toBeUndefined();
    expect(links.take('1')).toMatchObject(first);
  });
});

describe('notes', () => {
  it('keep the first texts and count all', () => {
    const notes = new Notes(2);
    const warning = { level: 'warning', text: 'w' } as const;
    expect(notes.add({ level: 'info', text: 'i' })).toBe(true);
    expect(notes.add(warning)).toBe(true);
    expect(notes.add(warning)).toBe(false);
    expect(notes.summary()).toMatchObject({ infos: 1, warnings: 2 });
    expect(notes.summary().texts).toHaveLength(2);
  });
});

describe('a fragment', () => {
  const empty = { storedBytes: 0, frames: 0, indexTextBytes: 0 };

  it('has room while the worst frame and its seek table fit', () => {
    const fill = { storedBytes: 10 * MIB, frames: 20, indexTextBytes: 0 };
    expect(hasRoomForFrame(fill, MIB, 12 * MIB)).toBe(true);
    expect(hasRoomForFrame(fill, MIB, 11 * MIB)).toBe(false);
  });

  it('ends before its frame table outgrows one message of 4 MiB', () => {
    expect(hasRoomForFrame({ ...empty, frames: FRAMES_MAX - 1 }, MIB, 2 ** 40)).toBe(true);
    expect(hasRoomForFrame({ ...empty, frames: FRAMES_MAX }, MIB, 2 ** 40)).toBe(false);
    const record = { storedBytes: 1, archiveBytes: 1, digest: Buffer.alloc(32) };
    const table = encodeFrameTable(Array.from({ length: FRAMES_MAX }, () => record));
    expect(table.length + 33).toBeLessThan(4 * MIB);
  });

  it('ends when it has 4 MiB of index lines: the catalog loads them while the next one comes', () => {
    expect(hasRoomForFrame({ ...empty, indexTextBytes: 4 * MIB - 1 }, MIB, 2 ** 40)).toBe(true);
    expect(hasRoomForFrame({ ...empty, indexTextBytes: 4 * MIB }, MIB, 2 ** 40)).toBe(false);
  });

  it('must hold one frame at least', () => {
    expect(() => checkFragmentBytesMax(MIB, MIB)).toThrow(/too small/);
    expect(() => checkFragmentBytesMax(2 * MIB, MIB)).not.toThrow();
  });
});
