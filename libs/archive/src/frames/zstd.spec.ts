import { describe, expect, it } from '@jest/globals';
import * as zlib from 'node:zlib';

import { isFrameOf } from './frame-bound.js';
import { builtInZstd, compress, decompress, TAKES_SEVERAL_FRAMES } from './zstd.js';

/** Words in an order that a better match finder makes more of. */
const text = Buffer.from(
  Array.from({ length: 40_000 }, (_, i) => `word-${(i * i) % 977} ${(i * 31) % 41}`).join(' '),
);

describe('compression', () => {
  it('is better at a higher level, and undone the same way', async () => {
    const [fast, small] = await Promise.all([compress(text, 1), compress(text, 19)]);
    expect(small.length).toBeLessThan(fast.length * 0.9);
    expect((await decompress(fast)).equals(text)).toBe(true);
    expect((await decompress(small)).equals(text)).toBe(true);
  });

  it('is undone for several frames at once, where it says so', async () => {
    const parts = [text, text.subarray(7, 5_000), text.subarray(1)];
    const frames = await Promise.all(parts.map((part) => compress(part)));
    const whole = await decompress(Buffer.concat(frames));
    expect(whole.equals(TAKES_SEVERAL_FRAMES ? Buffer.concat(parts) : text)).toBe(true);
  });

  it('of nothing is a frame, too', async () => {
    const frame = await compress(Buffer.alloc(0), 1);
    expect(frame.readUInt32LE(0)).toBe(0xfd2fb528);
    expect((await decompress(frame)).length).toBe(0);
  });
});

describe("Node's own Zstandard", () => {
  it('takes the place of the package where Node has it, and says what to do where not', async () => {
    if (!('zstdCompress' in zlib)) {
      expect(builtInZstd).toThrow(/Use Node 24/);
      return;
    }
    const own = builtInZstd();
    const frame = await own.compress(text, 3);
    expect(isFrameOf(frame, text.length)).toBe(true);
    expect((await decompress(frame)).equals(text)).toBe(true);
    expect((await own.decompress(await compress(text))).equals(text)).toBe(true);
  });
});
