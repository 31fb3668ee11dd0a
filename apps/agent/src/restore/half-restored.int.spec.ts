import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { describe, expect, it } from '@jest/globals';
import { PermanentError } from '#kernel/errors.js';

import type { FragmentRead } from './restore-source.js';
import { archiveOf, file, FolderReader, fragmentFile } from './testing/image-on-disk.js';
import { useRestoreLab } from './testing/restore-lab.js';

const lab = await useRestoreLab();
const { fragments, image, restore, names } = lab;

const NAMES = Array.from({ length: 400 }, (_, i) => `f-${1_000 + i}`);
const archive = archiveOf(NAMES.map((name) => file(name)));

describe('an index of which a line is out of order', () => {
  it.each([
    ['too high', 'zzz'],
    ['too low', 'aaa'],
  ])('costs that file alone where its path is %s', async (_, path) => {
    // The last line of what is taken apart at once, the first one of all, and some others.
    for (const at of [127, 0, 2, 128, 255, 383, 399]) {
      lab.nextTarget();
      const odd = await image({
        imageId: `odd-${path}-${at}`,
        archive,
        change: (line) => (line.path === NAMES[at] ? { ...line, path } : line),
      });
      const result = await restore([odd]);
      expect(result).toMatchObject({ status: 1, files: NAMES.length - 1 });
      expect(names()).toEqual(NAMES.filter((_, i) => i !== at));
    }
  });
});

describe('an index that cannot be read', () => {
  it('does not say that what is looked for was never backed up', async () => {
    const lost = await image({ imageId: 'lost', archive });
    rmSync(fragmentFile(fragments, 'lost-1', 'index'));
    const result = await restore([lost], { selection: ['f-1001'] });
    expect(result).toMatchObject({ status: 5, files: 0 });
    expect(result.notes).toContain('f-1001: not found in what can be read of the image.');
  });

  it('is not called damaged where the restore is cancelled meanwhile', async () => {
    const stopped = await image({ imageId: 'stopped', archive, fragmentBytes: 2 ** 16 });
    const stop = new AbortController();
    const reader = new FolderReader(fragments);
    const read = (range: FragmentRead): AsyncIterable<Buffer> => {
      stop.abort();
      if (stop.signal.aborted) throw new PermanentError(150, 'termination requested');
      return reader.read(range);
    };
    const result = await restore([stopped], { reader: { read }, signal: stop.signal });
    expect(result.status).toBe(150);
    expect(result.notes).toEqual([
      'The restore was stopped. 0 entries were restored before that and stay.',
    ]);
  });
});

describe('the destination', () => {
  it('is the path itself, whatever bytes are in its name', async () => {
    const one = await image({ imageId: 'one', archive: archiveOf([file('f')]) });
    const name = Buffer.from([0x5c, 0x0a, 0xc3, 0xbc, 0xff]);
    mkdirSync(lab.target);
    const above = `${lab.target}/new`;
    const destination = `${above}/${name.toString('latin1')}`;
    expect(await restore([one], { destination })).toMatchObject({ status: 0, files: 1 });
    expect(readdirSync(above, 'buffer')).toEqual([name]);
  });

  it('is refused at once where it cannot be made', async () => {
    const one = await image({ imageId: 'one', archive: archiveOf([file('f')]) });
    const result = await restore([one], { destination: '/proc/holdfast/below' });
    expect(result).toMatchObject({ status: 5, files: 0 });
    expect(result.notes.join()).toContain('/proc/holdfast/below cannot be used');
  });
});

describe('what was not there', () => {
  it('is no place that only its maker may enter, where it lies above all that was backed up', async () => {
    const below = await image({
      imageId: 'below',
      archive: archiveOf([file('srv/www/index.html')]),
    });
    expect(await restore([below])).toMatchObject({ status: 0, files: 1 });
    for (const path of ['srv', 'srv/www']) {
      expect(statSync(join(lab.target, path)).mode & 0o777).toBe(0o777 & ~process.umask());
    }
  });
});

describe('a file that cannot be replaced', () => {
  it('leaves nothing beside it, and keeps no other from being replaced', async () => {
    const both = await image({
      imageId: 'both',
      archive: archiveOf([file('held'), file('other')]),
    });
    mkdirSync(lab.target);
    const held = join(lab.target, 'held');
    for (const path of [held, join(lab.target, 'other')]) writeFileSync(path, 'old');
    // Something is mounted there.
    if (spawnSync('mount', ['--bind', held, held]).status !== 0) return; // It takes a superuser.
    try {
      const result = await restore([both], { overwrite: true });
      expect(result).toMatchObject({ status: 1, files: 1 });
      expect(result.notes.join()).toContain('held: not restored');
      expect(names()).toEqual(['held', 'other']);
      expect(readFileSync(held, 'utf8')).toBe('old');
      expect(readFileSync(join(lab.target, 'other'), 'utf8')).toBe('content of other');
    } finally {
      spawnSync('umount', [held]);
    }
  });
});
