import { randomBytes } from 'node:crypto';
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { compress, decompress } from '#archive/frames/zstd.js';
import { blake3 } from '@napi-rs/blake-hash';
import { rawFrame } from '#archive/frames/raw-frame.js';
import { InvalidInput } from '#kernel/errors.js';
import { FragmentUnreadable } from '../../errors.js';
import type { FragmentName } from '../../fragment-name.js';
import {
  archiveOf,
  chunkOf,
  frameOf,
  framedData,
  framedManifest,
  readThrough,
  send,
} from '../../testing/chunks.js';
import { describeFragmentStore } from '../../testing/describe-fragment-store.js';
import { fragmentName, manifestOf, patternBytes, write } from '../../testing/fragments.js';
import { testFolder, volumeWith, type TestFolder } from '../../testing/small-volume.js';
import { ChunkStore } from '../chunk-store.js';

describeFragmentStore('A deduplicating volume', async ({ freeBytes } = {}) => {
  const { folder, reserveBytes } = volumeWith(freeBytes);
  const store = await ChunkStore.open({ folder: folder.path, reserveBytes });
  const dispose = async () => {
    await store.close();
    folder.dispose();
  };
  return { store, reopen: () => store, countsPartialData: false, dispose };
});

describe('A fragment of chunks', () => {
  let folder: TestFolder;
  let store: ChunkStore;
  beforeEach(async () => {
    folder = testFolder();
    store = await open();
  });
  afterEach(async () => {
    await store.close();
    folder.dispose();
  });

  const open = () => ChunkStore.open({ folder: folder.path, reserveBytes: 0 });
  const [first, second] = [fragmentName(1), fragmentName(2)];
  const index = patternBytes(300, 5);

  const seal = async (name: FragmentName, seeds: readonly number[], frameBytes: number) => {
    const session = store.chunks.session('web1');
    await send(session, seeds);
    const writer = await session.begin(name, frameBytes);
    await writer.add(seeds.map(chunkOf));
    await writer.writeIndex([index]);
    expect(writer.indexBytes).toBe(index.length);
    const manifest = framedManifest(name, archiveOf(seeds), { frameBytes, index });
    await writer.seal(manifest);
    await session.end();
    return manifest;
  };
  const stored = () => {
    const files = readdirSync(folder.path, { recursive: true, withFileTypes: true });
    return files
      .filter((file) => file.isFile() && file.name.endsWith('.chunks'))
      .reduce((sum, file) => sum + statSync(join(file.parentPath, file.name)).size, 0);
  };

  it.each([4_096, 10_000, 1_048_576])(
    'looks like archive bytes in raw frames of %i',
    async (frameBytes) => {
      const seeds = Array.from({ length: 60 }, (_, nth) => nth % 23);
      const manifest = await seal(first, seeds, frameBytes);
      await store.close();
      store = await open();
      const archive = archiveOf(seeds);
      const data = framedData(archive, frameBytes);
      expect(await store.stat(first)).toEqual({ state: 'sealed', name: first, manifest });
      const reader = await store.open(first);
      expect(reader.manifest).toEqual(manifest);
      expect(reader.size('data')).toBe(data.length);
      const whole = await readThrough(reader);
      expect(blake3(whole).toString('hex')).toBe(manifest.digest);
      expect((await decompress(whole)).equals(archive)).toBe(true);
      for (const [offset, length] of [
        [0, 1],
        [frameBytes - 5, 300],
        [data.length - 20, 20],
        [data.length - 5_000, 5_000],
        [17, 0],
        [data.length, 0],
      ] as const) {
        const at = Math.min(offset, data.length - length);
        const part = await reader.read('data', at, length);
        expect(part.equals(data.subarray(at, at + length))).toBe(true);
      }
      expect((await reader.read('index', 0, 300)).equals(index)).toBe(true);
      await expect(reader.read('data', data.length, 1)).rejects.toBeInstanceOf(FragmentUnreadable);
      await reader.close();
    },
  );

  it('may be empty', async () => {
    await seal(first, [], 1_048_576);
    const reader = await store.open(first);
    expect((await readThrough(reader)).equals(framedData(Buffer.alloc(0), 1_048_576))).toBe(true);
    await reader.close();
  });

  it('is read by several at once, of one reader', async () => {
    const seeds = Array.from({ length: 100 }, (_, nth) => nth);
    await seal(first, seeds, 8_192);
    const data = framedData(archiveOf(seeds), 8_192);
    const reader = await store.open(first);
    const starts = Array.from({ length: 20 }, (_, nth) => (nth * 7_919) % (data.length - 9_000));
    const parts = await Promise.all(starts.map((at) => reader.read('data', at, 9_000)));
    parts.forEach((part, nth) => {
      expect(part.equals(data.subarray(starts[nth]!, starts[nth]! + 9_000))).toBe(true);
    });
    await reader.close();
  });

  it('has in its manifest on the volume what its recipe is, and gives that to nobody', async () => {
    const manifest = await seal(first, [1, 2], 4_096);
    const copy = join(folder.path, 'images/web1_1790000000/c1');
    const file = (end: string) =>
      join(
        copy,
        readdirSync(copy).find((name) => name.endsWith(end))!,
      );
    const recipe = readFileSync(file('.recipe.zst'));
    const digest = blake3(recipe).toString('hex');
    const onDisk = JSON.parse(readFileSync(file('.json'), 'utf8'));
    expect(onDisk).toEqual({ ...manifest, recipe: { bytes: recipe.length, digest } });
    writeFileSync(file('.recipe.zst'), recipe.subarray(1));
    expect(await store.stat(first)).toMatchObject({ state: 'damaged' });
    await expect(store.open(first)).rejects.toBeInstanceOf(FragmentUnreadable);
    writeFileSync(file('.recipe.zst'), recipe);
    writeFileSync(file('.json'), JSON.stringify(manifest));
    expect(await store.stat(first)).toMatchObject({
      state: 'damaged',
      reason: expect.stringMatching(/nothing of its recipe/),
    });
  });

  it('is sealed with the sizes of its data only, and never again after a seal that failed', async () => {
    const session = store.chunks.session('web1');
    await session.add(await frameOf([1, 2]));
    const writer = await session.begin(first, 4_096);
    await writer.add([1, 2].map(chunkOf));
    const right = framedManifest(first, archiveOf([1, 2]), {
      frameBytes: 4_096,
      index: Buffer.alloc(0),
    });
    for (const wrong of [{ archiveBytes: 1 }, { storedBytes: 1 }]) {
      const sealing = writer.seal({ ...right, ...wrong });
      await expect(sealing).rejects.toBeInstanceOf(InvalidInput);
    }
    await writer.seal(right);
    const failing = await session.begin(second, 4_096);
    await failing.add([chunkOf(7)]);
    const manifest = framedManifest(second, archiveOf([7]), {
      frameBytes: 4_096,
      index: Buffer.alloc(0),
    });
    await expect(failing.seal(manifest)).rejects.toThrow(/not here/);
    await session.add(await frameOf([7]));
    await expect(failing.seal(manifest)).rejects.toThrow(/not here/);
    await expect(failing.add([chunkOf(7)])).rejects.toThrow(/not here/);
    await failing.abandon();
    await expect(session.begin(first, 4_096)).rejects.toThrow(/there already/);
    await expect(session.begin(second, 4_096)).rejects.toThrow(/there already/);
    for (const frameBytes of [0, 1, 4_095, 4_194_305, 1.5e6 + 0.5]) {
      const beginning = session.begin(fragmentName(3), frameBytes);
      await expect(beginning).rejects.toBeInstanceOf(InvalidInput);
    }
    await session.end();
  });

  it('takes in no frame that is none, or could come to more than its chunks', async () => {
    const session = store.chunks.session('web1');
    const { stored: frame } = await frameOf([1]);
    const chunk = chunkOf(1);
    for (const bad of [
      { stored: Buffer.concat([frame, frame]), chunks: [chunk] },
      { stored: await compress(Buffer.alloc(10_000_000), 3), chunks: [chunk] },
      { stored: rawFrame(chunk.bytes), chunks: [{ ...chunk, length: chunk.length + 1 }] },
      { stored: chunk.bytes, chunks: [chunk] },
    ]) {
      await expect(session.add(bad)).rejects.toBeInstanceOf(InvalidInput);
    }
    await session.add({ stored: frame, chunks: [chunk] });
    await session.end();
  });

  it('that comes as bytes costs nothing where its bytes are here', async () => {
    const content = { data: randomBytes(3_500_000), index };
    await write(store, first, content);
    const before = stored();
    expect(before).toBeGreaterThan(3_500_000);
    await write(store, fragmentName(2, { copy: 2 }), content);
    expect(stored()).toBe(before);
    const reader = await store.open(fragmentName(2, { copy: 2 }));
    expect(reader.manifest).toEqual(manifestOf(fragmentName(2, { copy: 2 }), content));
    expect((await readThrough(reader)).equals(content.data)).toBe(true);
    await reader.close();
  });
});
