import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { INDEX_FRAME_BYTES_MAX } from '../index-line.js';
import { compress } from './zstd.js';
import { encodeFrameTable, frameTableBytes } from './frame-table.js';
import { IndexFrames } from './index-frames.js';

const FRAMES = 50;
const table = encodeFrameTable(
  Array.from({ length: FRAMES }, () => ({
    ...{ storedBytes: 1, archiveBytes: 1, digest: Buffer.alloc(32) },
  })),
);
const skippable = Buffer.from([0x50, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3]);
const lines = await compress(Buffer.from('text\n'), 1);

const read = (index: Buffer, frames = new IndexFrames()): Buffer[] => {
  const found = [...frames.push(index)];
  frames.end();
  return found;
};

describe('an index', () => {
  it('is cut where its frames of lines end, wherever the pieces end', async () => {
    const texts = ['', 'a', 'line\n'.repeat(50_000), 'xyz'.repeat(1_000)];
    const random = Buffer.from(Array.from({ length: 200_000 }, (_, n) => (n * 7_919 * n) % 251));
    const frames = await Promise.all(
      [...texts.map((text) => Buffer.from(text)), random].map((text) => compress(text, 1)),
    );
    const index = Buffer.concat([...frames, table]);
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 70_000 }), { minLength: 1 }), (sizes) => {
        const splitter = new IndexFrames(frameTableBytes(FRAMES));
        const found: Buffer[] = [];
        for (let at = 0, turn = 0; at < index.length; turn += 1) {
          const size = Math.max(sizes[turn % sizes.length]!, 40);
          found.push(...splitter.push(index.subarray(at, at + size)));
          at += size;
        }
        splitter.end();
        expect(found.map((frame) => frame.length)).toEqual(frames.map((frame) => frame.length));
        expect(Buffer.concat(found).equals(Buffer.concat(frames))).toBe(true);
      }),
      { numRuns: 30 },
    );
  });

  it.each([
    ['nothing', Buffer.alloc(0), 'no frame table'],
    ['without its table', lines, 'no frame table'],
    ['with another skippable frame in it', Buffer.concat([lines, skippable, lines, table]), 'nei'],
    ['with two tables', Buffer.concat([lines, table, table]), 'behind its frame table'],
    ['with lines behind its table', Buffer.concat([table, lines]), 'behind its frame table'],
    ['with half a table', Buffer.concat([lines, table.subarray(0, 90)]), 'in the middle'],
    ['with half a frame', lines.subarray(0, 10), 'in the middle'],
    ['of text', Buffer.from('plain text'), 'No Zstandard frame'],
  ])('%s is damaged', (_, index, reason) => {
    expect(() => read(index)).toThrow(reason);
  });

  it('with the table of another number of frames is damaged, where that is known', () => {
    const index = Buffer.concat([lines, table]);
    expect(read(index)).toHaveLength(1);
    expect(() => read(index, new IndexFrames(frameTableBytes(49)))).toThrow('another number');
  });

  it('with a frame that could fill the memory is damaged, and what is before it is given', async () => {
    const bomb = await compress(Buffer.alloc(64 * INDEX_FRAME_BYTES_MAX), 1);
    const found: Buffer[] = [];
    expect(() => {
      for (const frame of new IndexFrames().push(Buffer.concat([lines, bomb]))) found.push(frame);
    }).toThrow('too large');
    expect(found).toHaveLength(1);
    // One that states a size beyond the limit, and holds next to nothing.
    const stated = Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0xa0, 0, 0, 0, 0x40, 1, 0, 0]);
    expect(() => read(stated)).toThrow('too large');
    const endless = Buffer.concat([lines, Buffer.alloc(3 * INDEX_FRAME_BYTES_MAX)]);
    endless.set([0x28, 0xb5, 0x2f, 0xfd, 0, 0x58], lines.length);
    for (let at = lines.length + 6; at + 3 < endless.length; at += 3 + 131_072) {
      endless.writeUIntLE(131_072 << 3, at, 3);
    }
    expect(() => read(endless)).toThrow('no end');
  });
});
