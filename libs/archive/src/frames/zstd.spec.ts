import { describe, expect, it } from '@jest/globals';
import * as zlib from 'node:zlib';

import { isFrameOf } from './frame-bound.js';
import { systemZstd } from './libzstd.js';
import { builtInZstd, compress, decompress, packagedZstd } from './zstd.js';
import type { Zstd } from './zstd-library.js';

/** Words in an order that a better match finder makes more of. */
const text = Buffer.from(
  Array.from({ length: 40_000 }, (_, i) => `word-${(i * i) % 977} ${(i * 31) % 41}`).join(' '),
);

const adapters: readonly (readonly [string, Zstd | undefined])[] = [
  ["the system's", systemZstd(packagedZstd() ?? builtInZstd())],
  ["the package's", packagedZstd()],
  ["Node's own", 'zstdCompress' in zlib ? builtInZstd() : undefined],
];

describe.each(adapters.filter(([, zstd]) => zstd))('%s Zstandard', (_, adapter) => {
  const zstd = adapter!;

  it('is better at a higher level, and undone the same way, also by the others', async () => {
    const [fast, small] = await Promise.all([zstd.compress(text, 1), zstd.compress(text, 19)]);
    expect(small.length).toBeLessThan(fast.length * 0.9);
    for (const frame of [fast, small]) {
      expect(isFrameOf(frame, text.length)).toBe(true);
      expect((await zstd.decompress(frame)).equals(text)).toBe(true);
      for (const [, other] of adapters) {
        if (other) expect((await other.decompress(frame)).equals(text)).toBe(true);
      }
    }
  });

  it('is undone for several frames at once', async () => {
    const parts = [text, text.subarray(7, 5_000), Buffer.alloc(0), text.subarray(1)];
    const frames = await Promise.all(parts.map((part) => zstd.compress(part, 3)));
    const whole = await zstd.decompress(Buffer.concat(frames as Buffer<ArrayBuffer>[]));
    expect(whole.equals(Buffer.concat(parts))).toBe(true);
  });

  it('is undone into memory of the caller, which threads may share, and not beyond it', async () => {
    const frame = await zstd.compress(text, 1);
    const memory = Buffer.from(new SharedArrayBuffer(text.length + 200)).fill(7);
    const room = memory.subarray(0, text.length + 100);
    const content = await zstd.decompress(frame, room);
    expect([content.buffer === memory.buffer, content.length]).toEqual([true, text.length]);
    expect(content.equals(text)).toBe(true);
    await expect(zstd.decompress(frame, memory.subarray(0, 1_000))).rejects.toThrow();
    expect(memory.subarray(room.length).every((byte) => byte === 7)).toBe(true);
  });

  it('of nothing is a frame, too', async () => {
    const frame = await zstd.compress(Buffer.alloc(0), 1);
    expect(frame.readUInt32LE(0)).toBe(0xfd2fb528);
    expect((await zstd.decompress(frame)).length).toBe(0);
  });

  it('fails for what is no frame, is cut off or damaged, and goes on behind it', async () => {
    const frame = await zstd.compress(text, 1);
    const damaged = Buffer.from(frame);
    damaged.fill(0xff, 20, 60);
    for (const wrong of [text, frame.subarray(0, frame.length - 1), damaged]) {
      await expect(zstd.decompress(wrong, Buffer.alloc(text.length))).rejects.toThrow();
    }
    expect((await zstd.decompress(frame)).equals(text)).toBe(true);
  });

  it('gives each of many calls at once its own', async () => {
    const parts = Array.from({ length: 60 }, (_unused, n) =>
      text.subarray(n * 101, n * 997 + 9_000),
    );
    const frames = await Promise.all(parts.map((part, n) => zstd.compress(part, 1 + (n % 7))));
    const contents = await Promise.all(frames.map((frame) => zstd.decompress(frame)));
    contents.forEach((content, n) => expect(content.equals(parts[n]!)).toBe(true));
  });
});

describe('what takes the place of another', () => {
  it("is the package's where a frame does not say what it comes to", async () => {
    const frame = await packagedZstd()?.compress(text, 3);
    if (frame) expect((await decompress(frame)).equals(text)).toBe(true);
    expect((await decompress(await compress(text, 3))).equals(text)).toBe(true);
  });

  it("is Node's own where Node has it; else it says what to do", () => {
    if (!('zstdCompress' in zlib)) expect(builtInZstd).toThrow(/Use Node 24/);
  });
});
