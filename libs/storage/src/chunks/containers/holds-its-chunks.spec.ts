import { randomBytes } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { rawFrame } from '#archive/frames/raw-frame.js';
import { compress } from '#archive/frames/zstd.js';
import { blake3 } from '#kernel/blake3.js';
import { PieceBuffers } from './container-reader.js';
import { holdsItsChunks } from './holds-its-chunks.js';

/** They end within, at, and behind the blocks of a raw frame. */
const LENGTHS = [100_000, 31_072, 131_072, 1, 300_000];

describe.each([
  ['not compressed', (bytes: Buffer) => Promise.resolve(rawFrame(bytes))],
  ['compressed', (bytes: Buffer) => compress(bytes, 3)],
])('a frame of chunks that is %s', (_, frameOf) => {
  const contents = LENGTHS.map((length) => randomBytes(length).fill(7, length >> 1));
  const chunks = contents.map((bytes) => ({ id: blake3(bytes), length: bytes.length }));
  const buffers = new PieceBuffers();
  const holds = async (held: readonly Buffer[], told = chunks) =>
    holdsItsChunks({ stored: await frameOf(Buffer.concat(held)), chunks: told }, buffers);

  it('holds what the ids say, frame by frame', async () => {
    expect(await holds(contents)).toBe(true);
    expect(await holds(contents)).toBe(true);
  });

  it.each([...LENGTHS.keys()])('is refused with one wrong byte in chunk %d', async (nth) => {
    const wrong = contents.map((bytes) => Buffer.from(bytes));
    wrong[nth]![0]! ^= 1;
    expect(await holds(wrong)).toBe(false);
  });

  it('is refused with more, or less, than they say', async () => {
    expect(await holds([...contents, Buffer.alloc(10)])).toBe(false);
    expect(await holds(contents.slice(0, -1))).toBe(false);
    expect(await holds(contents, chunks.slice(0, -1))).toBe(false);
  });
});
