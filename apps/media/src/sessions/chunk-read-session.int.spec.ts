import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { decompress } from '#archive/frames/zstd.js';
import { testFolder, type TestFolder } from '#storage/testing/small-volume.js';
import type { NamedChunk } from '#transfer/chunk-messages.js';
import type { FragmentReaderClient } from '#transfer/fragment-reader-client.js';
import { TestMediaServer } from '../testing/media-server.js';
import { sampleBackup, sendBackup } from '../testing/sample-backup.js';
import {
  randomChunk,
  sampleRecipes,
  sendRecipes,
  type SampleRecipe,
} from '../testing/sample-recipe.js';

const CHUNK = 300_000;

describe('A session that reads from a volume that deduplicates', () => {
  let folder: TestFolder;
  let media: TestMediaServer;
  let recipe: SampleRecipe;
  let archive: Buffer;
  let reader: FragmentReaderClient;
  let fragmentId: string;
  beforeEach(async () => {
    folder = testFolder();
    media = await TestMediaServer.start({ folder: folder.path, kind: 'chunks' });
    const chunks = Array.from({ length: 6 }, () => randomChunk());
    [recipe] = (await sampleRecipes([[...chunks, chunks[0]!]])) as [SampleRecipe];
    archive = Buffer.concat(recipe.chunks.map(({ bytes }) => bytes));
    const { writer, outcome } = await media.write();
    await sendRecipes(writer, [recipe]);
    expect(await outcome).toMatchObject({ status: 0 });
    [fragmentId] = media.catalog.committed.keys() as unknown as [string];
    ({ reader } = await media.read(['web1_1790000000', 'web1_1790000001']));
  });
  afterEach(async () => {
    reader.close();
    await media.stop();
    expect(media.bugs).toEqual([]);
    folder.dispose();
  });

  const names = (chunks: readonly NamedChunk[]) => chunks.map(({ id, length }) => ({ id, length }));
  const get = async (chunks: readonly NamedChunk[], wholePercent = 100) => {
    const found = new Map<string, Buffer>();
    for await (const frame of reader.chunks({ fragmentId, wholePercent, chunks })) {
      const bytes = await decompress(frame.stored);
      let at = 0;
      for (const { id, length } of frame.chunks) {
        found.set(id.toString('hex'), bytes.subarray(at, at + length));
        at += length;
      }
    }
    return found;
  };
  const containers = () =>
    readdirSync(join(folder.path, 'chunks'), { recursive: true, encoding: 'utf8' })
      .filter((path) => path.endsWith('.chunks'))
      .map((path) => join(folder.path, 'chunks', path));

  it('names the chunks of a range of the archive, and whose they are', async () => {
    const all = await reader.recipe({ fragmentId, offset: 0, length: archive.length });
    expect(all).toEqual({
      ...{ domain: 'web1', frameBytes: 1_048_576, offset: 0 },
      chunks: names(recipe.chunks),
    });
    const some = await reader.recipe({ fragmentId, offset: CHUNK - 1, length: 2 });
    expect(some).toMatchObject({ offset: 0, chunks: names(recipe.chunks.slice(0, 2)) });
    const one = await reader.recipe({ fragmentId, offset: 2 * CHUNK, length: CHUNK });
    expect(one).toMatchObject({ offset: 2 * CHUNK, chunks: names(recipe.chunks.slice(2, 3)) });
    for (const range of [
      { offset: 0, length: 0 },
      { offset: archive.length, length: 5 },
    ]) {
      const none = await reader.recipe({ fragmentId, ...range });
      expect(none).toMatchObject({ domain: 'web1', chunks: [] });
    }
  });

  it('gives the frames of the chunks that are wanted, each chunk once', async () => {
    const found = await get(recipe.chunks);
    expect(found.size).toBe(6);
    for (const { id, bytes } of recipe.chunks) {
      expect(found.get(id.toString('hex'))!.equals(bytes)).toBe(true);
    }
    const [, second] = recipe.chunks;
    expect([...(await get([second!])).keys()]).toEqual([second!.id.toString('hex')]);
  });

  it('answers what is asked for at once in order, and goes on behind a chunk that is not there', async () => {
    const range = { fragmentId, offset: 0, length: archive.length };
    const [first, unknown, piece, last] = await Promise.allSettled([
      reader.recipe(range),
      get([{ id: Buffer.alloc(32, 7), length: CHUNK }]),
      (async () => {
        const pieces: Buffer[] = [];
        const read = { ...range, object: 'data', length: recipe.data.length } as const;
        for await (const one of reader.read(read)) pieces.push(Buffer.from(one));
        return Buffer.concat(pieces);
      })(),
      get(recipe.chunks.slice(3, 4)),
    ]);
    expect(first).toMatchObject({ status: 'fulfilled', value: { offset: 0 } });
    expect(unknown).toMatchObject({
      status: 'rejected',
      reason: { name: 'RangeUnreadable', message: expect.stringMatching(/not in the volume/) },
    });
    expect(piece).toMatchObject({ status: 'fulfilled' });
    expect((piece as PromiseFulfilledResult<Buffer>).value.equals(recipe.data)).toBe(true);
    expect(last).toMatchObject({ status: 'fulfilled' });
  });

  it('gives nothing that has changed on the disk', async () => {
    for (const path of containers()) {
      const bytes = readFileSync(path);
      bytes[1_000]! ^= 1;
      writeFileSync(path, bytes);
    }
    await expect(get(recipe.chunks)).rejects.toMatchObject({ name: 'RangeUnreadable', status: 85 });
  });

  it('says of a fragment that came as frames that its chunks are not those of its archive', async () => {
    const { writer, outcome } = await media.write({ imageId: 'web1_1790000001' });
    await sendBackup(
      writer,
      await sampleBackup({ fragments: 1, framesEach: 2, frameBytes: 50_000 }),
    );
    expect(await outcome).toMatchObject({ status: 0 });
    const [plain] = [...media.catalog.committed.values()].filter(
      ({ imageId }) => imageId === 'web1_1790000001',
    );
    const range = { fragmentId: plain!.fragmentId, offset: 0, length: 10 };
    expect(await reader.recipe(range)).toMatchObject({ frameBytes: undefined });
  });
});
