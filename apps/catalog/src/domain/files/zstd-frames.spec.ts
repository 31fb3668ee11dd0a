import { describe, expect, it } from '@jest/globals';
import { compress } from '#archive/frames/zstd.js';
import fc from 'fast-check';
import { encodeFrameTable } from '#archive/frames/frame-table.js';
import { ZstdFrames } from './zstd-frames.js';

const table = encodeFrameTable(
  Array.from({ length: 50 }, () => ({ storedBytes: 1, archiveBytes: 1, digest: Buffer.alloc(32) })),
);

describe('a stream of Zstandard frames', () => {
  it('is cut where the frames end, wherever the chunks end, and tables are passed over', async () => {
    const texts = ['', 'a', 'line\n'.repeat(50_000), 'xyz'.repeat(1_000)];
    const random = Buffer.from(Array.from({ length: 200_000 }, (_, n) => (n * 7_919 * n) % 251));
    const frames = await Promise.all(
      [...texts.map((text) => Buffer.from(text)), random].map((text) => compress(text, 1)),
    );
    const stream = Buffer.concat([frames[0]!, table, ...frames.slice(1), table]);
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 70_000 }), { minLength: 1 }), (sizes) => {
        const splitter = new ZstdFrames();
        const found: Buffer[] = [];
        for (let at = 0, turn = 0; at < stream.length; turn += 1) {
          const size = Math.max(sizes[turn % sizes.length]!, 40);
          found.push(...splitter.push(stream.subarray(at, at + size)));
          at += size;
        }
        splitter.end();
        expect(found.map((frame) => frame.length)).toEqual(frames.map((frame) => frame.length));
        expect(Buffer.concat(found).equals(Buffer.concat(frames))).toBe(true);
      }),
      { numRuns: 30 },
    );
  });

  it('is refused where it is none, stops early or could fill the memory', async () => {
    const frame = await compress(Buffer.from('text'), 1);
    expect(() => new ZstdFrames().push(Buffer.from('plain text'))).toThrow('no Zstandard frame');
    const cut = new ZstdFrames();
    cut.push(frame.subarray(0, frame.length - 1));
    expect(() => cut.end()).toThrow('middle of a frame');
    const bomb = await compress(Buffer.alloc(64 * 1024 * 1024), 1);
    expect(() => new ZstdFrames().push(bomb)).toThrow('too large');
  });
});
