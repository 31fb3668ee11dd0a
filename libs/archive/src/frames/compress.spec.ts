import { describe, expect, it } from '@jest/globals';
import { decompress } from '@mongodb-js/zstd';

import { compress } from './compress.js';

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

  it('of nothing is a frame, too', async () => {
    const frame = await compress(Buffer.alloc(0), 1);
    expect(frame.readUInt32LE(0)).toBe(0xfd2fb528);
    expect((await decompress(frame)).length).toBe(0);
  });
});
