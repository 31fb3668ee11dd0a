import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { blake3 } from '@napi-rs/blake-hash';
import type { Manifest } from '#archive/manifest.js';
import { DirectoryFragmentStore } from '../../directory/directory-fragment-store.js';
import { FragmentUnreadable } from '../../errors.js';
import type { FragmentName } from '../../fragment-name.js';
import type { FragmentStore } from '../../fragment-store.js';
import {
  archiveOf,
  chunkOf,
  framedData,
  framedManifest,
  grantOf,
  readThrough,
  send,
  tombstoneOf,
} from '../../testing/chunks.js';
import { fragmentName, patternBytes } from '../../testing/fragments.js';
import { testFolder, type TestFolder } from '../../testing/small-volume.js';
import { ChunkStore } from '../chunk-store.js';

const FRAME_BYTES = 16_384;

describe('A copy between volumes that deduplicate', () => {
  let folders: TestFolder[];
  let near: ChunkStore;
  let far: ChunkStore;
  beforeEach(async () => {
    folders = [testFolder(), testFolder()];
    [near, far] = (await Promise.all(
      folders.map(({ path: folder }) => ChunkStore.open({ folder, reserveBytes: 0 })),
    )) as [ChunkStore, ChunkStore];
  });
  afterEach(async () => {
    await Promise.all([near.close(), far.close()]);
    for (const folder of folders) folder.dispose();
  });

  const [first, second, copy] = [1, 2, 3].map((seed) => fragmentName(seed)) as [
    FragmentName,
    FragmentName,
    FragmentName,
  ];
  const index = patternBytes(200, 5);

  const seal = async (store: ChunkStore, name: FragmentName, seeds: readonly number[]) => {
    const session = store.session('web1');
    await send(session, seeds, 10);
    const writer = await session.begin(name, FRAME_BYTES);
    await writer.add(seeds.map(chunkOf));
    await writer.writeIndex([index]);
    const manifest = framedManifest(name, archiveOf(seeds), { frameBytes: FRAME_BYTES, index });
    await writer.seal(manifest);
    await session.end();
    return manifest;
  };
  const copyTo = async (from: FragmentStore, name: FragmentName, to: FragmentStore) => {
    const source = await from.open(name);
    const writer = await to.create(copy);
    try {
      await writer.copyFrom(source);
      await writer.seal({ ...source.manifest, ...copy });
    } finally {
      await writer.abandon();
      await source.close();
    }
  };
  const containers = (nth: number) => {
    const chunks = join(folders[nth]!.path, 'chunks');
    return readdirSync(chunks, { recursive: true, encoding: 'utf8' })
      .filter((path) => path.endsWith('.chunks'))
      .map((path) => join(chunks, path));
  };
  const isWhole = async (store: FragmentStore, manifest: Manifest, seeds: readonly number[]) => {
    const reader = await store.open(copy);
    expect(reader.manifest).toEqual({ ...manifest, ...copy });
    const data = await readThrough(reader);
    expect(data.equals(framedData(archiveOf(seeds), FRAME_BYTES))).toBe(true);
    expect(blake3(data).toString('hex')).toBe(manifest.digest);
    expect((await reader.read('index', 0, index.length)).equals(index)).toBe(true);
    await reader.close();
  };
  const seedsOf = (from: number, to: number) =>
    Array.from({ length: to - from }, (_, nth) => from + nth);

  it('takes whole frames as they are stored, and has the digests of the source', async () => {
    const seeds = seedsOf(0, 95);
    const manifest = await seal(near, first, seeds);
    await copyTo(near, first, far);
    await isWhole(far, manifest, seeds);
    const sizes = [0, 1].map((nth) => statSync(containers(nth)[0]!).size);
    expect(sizes[0]).toBe(sizes[1]);
    await far.remove(grantOf(copy), copy);
    await far.emptyTrash(tombstoneOf(copy));
    await far.collect({ deadShareMin: 0 });
    expect(containers(1)).toEqual([]);
  });

  it('brings only what is not there', async () => {
    await seal(far, second, seedsOf(0, 90));
    const before = containers(1);
    const seeds = [...seedsOf(40, 93), 3, 91, 91];
    const manifest = await seal(near, first, seeds);
    await copyTo(near, first, far);
    await isWhole(far, manifest, seeds);
    const brought = containers(1).filter((path) => !before.includes(path));
    expect(brought).toHaveLength(1);
    expect((await all(far.verify())).map(({ chunks }) => chunks).sort()).toEqual([3, 90]);
  });

  it('writes nothing within one volume', async () => {
    const seeds = seedsOf(0, 30);
    const manifest = await seal(near, first, seeds);
    const before = containers(0);
    await copyTo(near, first, near);
    expect(containers(0)).toEqual(before);
    await isWhole(near, manifest, seeds);
  });

  it('is the same through a volume that does not deduplicate', async () => {
    const seeds = seedsOf(0, 60);
    const manifest = await seal(near, first, seeds);
    const plainFolder = testFolder();
    folders.push(plainFolder);
    const plain = new DirectoryFragmentStore({ folder: plainFolder.path, reserveBytes: 0 });
    await copyTo(near, first, plain);
    await isWhole(plain, manifest, seeds);
    await copyTo(plain, copy, far);
    await isWhole(far, manifest, seeds);
    const reader = await far.open(copy);
    expect(reader.chunks.frameBytes).toBeUndefined();
    await reader.close();
  });

  it('refuses a source with a chunk that is damaged, and leaves nothing that counts', async () => {
    await seal(near, first, seedsOf(0, 40));
    const [path] = containers(0);
    const bytes = readFileSync(path!);
    bytes[500]! ^= 1;
    writeFileSync(path!, bytes);
    await expect(copyTo(near, first, far)).rejects.toBeInstanceOf(FragmentUnreadable);
    expect(await far.stat(copy)).toMatchObject({ state: 'partial' });
    await far.collect({ deadShareMin: 0 });
    expect(containers(1)).toEqual([]);
  });

  it('goes on while a collection moves the chunks of the source', async () => {
    const seeds = seedsOf(0, 80).filter((seed) => seed % 3 === 0);
    await seal(near, second, seedsOf(0, 80));
    const manifest = await seal(near, first, seeds);
    await near.remove(grantOf(second), second);
    await near.emptyTrash(tombstoneOf(second));
    const source = await near.open(first);
    const writer = await far.create(copy);
    const list = source.chunks.list.bind(source.chunks);
    const slow = {
      domain: source.chunks.domain,
      frameBytes: source.chunks.frameBytes,
      list,
      async *frames(chunks: Parameters<typeof source.chunks.frames>[0]) {
        for await (const frame of source.chunks.frames(chunks)) {
          await near.collect({ deadShareMin: 0 });
          yield frame;
        }
      },
    };
    await writer.copyFrom({
      manifest: source.manifest,
      chunks: slow,
      size: (object) => source.size(object),
      read: (object, at, length) => source.read(object, at, length),
      close: () => source.close(),
    });
    await writer.seal({ ...source.manifest, ...copy });
    await source.close();
    await isWhole(far, manifest, seeds);
  });
});

async function all<T>(of: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const one of of) found.push(one);
  return found;
}
