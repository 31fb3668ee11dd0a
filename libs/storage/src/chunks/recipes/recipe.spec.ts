import { describe, expect, it } from '@jest/globals';
import { InvalidInput } from '#kernel/errors.js';
import type { ChunkEntry } from '../../chunk-intake.js';
import { FragmentDamaged } from '../../errors.js';
import { chunkOf } from '../../testing/chunks.js';
import { RecipeEncoder } from './recipe-encoder.js';
import { CHUNKS_PER_RECIPE_FRAME } from './recipe-format.js';
import { RecipeReader } from './recipe-reader.js';

async function encode(chunks: readonly ChunkEntry[]): Promise<Buffer> {
  const pieces: Buffer[] = [];
  const encoder = new RecipeEncoder(
    { domain: 'web1', frameBytes: 1_048_576 },
    async (bytes) => void pieces.push(bytes),
  );
  await encoder.add(chunks);
  await encoder.finish();
  return Buffer.concat(pieces);
}

function open(file: Buffer): Promise<RecipeReader> {
  const read = async (offset: number, length: number) => {
    if (offset < 0 || offset + length > file.length) throw new Error('a read beyond the file');
    return file.subarray(offset, offset + length);
  };
  return RecipeReader.open({ fragmentId: 'f1', bytes: file.length, read });
}

async function chunksOf(file: Buffer, offset = 0) {
  const found = [];
  for await (const chunks of (await open(file)).chunks(offset)) found.push(...chunks);
  return found;
}

describe('A recipe', () => {
  const few = [1, 2, 3, 2].map(chunkOf);

  it('gives back its chunks in order, with where they begin', async () => {
    const file = await encode(few);
    const reader = await open(file);
    expect(reader.head).toEqual({ domain: 'web1', frameBytes: 1_048_576 });
    expect(reader.chunkBytes).toBe(few.reduce((sum, { length }) => sum + length, 0));
    const found = await chunksOf(file);
    expect(found.map(({ id }) => id)).toEqual(few.map(({ id }) => id));
    let at = 0;
    for (const { offset, length } of found) {
      expect(offset).toBe(at);
      at += length;
    }
  });

  it('can be empty', async () => {
    const file = await encode([]);
    expect((await open(file)).chunkBytes).toBe(0);
    expect(await chunksOf(file)).toEqual([]);
  });

  it('is read from the frame on that a byte is in, at about 35 bytes a chunk', async () => {
    const many = Array.from({ length: CHUNKS_PER_RECIPE_FRAME * 2 + 5 }, (_, seed) => {
      const { id, length } = chunkOf(seed);
      return { id, length };
    });
    const file = await encode(many);
    expect(file.length / many.length).toBeLessThan(40);
    const all = await chunksOf(file);
    expect(all.length).toBe(many.length);
    const first = all[CHUNKS_PER_RECIPE_FRAME]!;
    expect((await chunksOf(file, first.offset))[0]).toEqual(first);
    expect((await chunksOf(file, first.offset - 1))[0]).toEqual(all[0]);
  });

  it('is never misread, whatever bit is flipped or wherever it is cut', async () => {
    const file = await encode(few);
    for (let at = 0; at < file.length; at += 1) {
      const flipped = Buffer.from(file);
      flipped[at]! ^= 1 << (at % 8);
      await expect(chunksOf(flipped)).rejects.toBeInstanceOf(FragmentDamaged);
      await expect(chunksOf(file.subarray(0, at))).rejects.toBeInstanceOf(FragmentDamaged);
    }
  });

  it('refuses what is no chunk', async () => {
    const refuses = (chunk: ChunkEntry) =>
      expect(encode([chunk])).rejects.toBeInstanceOf(InvalidInput);
    await refuses({ id: Buffer.alloc(31), length: 1 });
    await refuses({ id: Buffer.alloc(32), length: 0 });
    await refuses({ id: Buffer.alloc(32), length: 4 * 1024 * 1024 + 1 });
  });
});
