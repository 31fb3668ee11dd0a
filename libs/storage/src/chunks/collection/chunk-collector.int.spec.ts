import { randomBytes } from 'node:crypto';
import { statfsSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { blake3 } from '@napi-rs/blake-hash';
import { compress } from '#archive/frames/zstd.js';
import { VolumeFull } from '../../errors.js';
import type { FragmentName } from '../../fragment-name.js';
import {
  condemn,
  archiveOf,
  containersOf,
  readArchive,
  sealAlone,
  sealIn,
} from '../../testing/chunks.js';
import { fragmentName, manifestOf } from '../../testing/fragments.js';
import { ShakyIndex } from '../../testing/shaky-index.js';
import { openFiles, testFolder, type TestFolder } from '../../testing/small-volume.js';
import { ChunkStore, type ChunkStoreOptions } from '../chunk-store.js';
import { levelHome } from '../index/index-home.js';

const COPIED = 'collect: what lives is durable elsewhere, the index does not know it';
const EVERYTHING = { deadShareMin: 0 };

describe('A collection', () => {
  let folder: TestFolder;
  let store: ChunkStore;
  const open = async (options: Partial<ChunkStoreOptions> = {}) => {
    store = await ChunkStore.open({ folder: folder.path, reserveBytes: 0, ...options });
  };
  beforeEach(async () => {
    folder = testFolder();
    await open();
  });
  afterEach(async () => {
    await store.close();
    folder.dispose();
  });

  const [lone, kept, first, second] = [1, 2, 3, 4].map((seed) => fragmentName(seed)) as [
    FragmentName,
    FragmentName,
    FragmentName,
    FragmentName,
  ];
  const reads = async (name: FragmentName, seeds: readonly number[]) =>
    expect((await readArchive(store, name)).equals(archiveOf(seeds))).toBe(true);
  /** A container with one chunk that lives, and two others in which nothing does. */
  const fill = async () => {
    await sealAlone(store, lone, [1, 2, 3, 4]);
    await sealAlone(store, kept, [2]);
    await sealAlone(store, first, [5, 6]);
    await sealAlone(store, second, [7]);
    for (const name of [lone, first, second]) await condemn(store, name);
  };
  const freeBytes = () => {
    const { bavail, bsize } = statfsSync(folder.path);
    return bavail * bsize;
  };

  it('of a volume without any room gives back what needs none', async () => {
    await fill();
    await store.close();
    await open({ reserveBytes: 32 * freeBytes() });
    const collected = await store.collect(EVERYTHING);
    expect(collected).toMatchObject({ gone: 2, made: 0, damaged: [] });
    expect(collected.full).toBeInstanceOf(VolumeFull);
    expect(containersOf(folder.path)).toHaveLength(1);
    await reads(kept, [2]);
  });

  it('of a volume at its reserve takes of that', async () => {
    await fill();
    await store.close();
    await open({ reserveBytes: 2 * freeBytes() });
    await expect(sealAlone(store, fragmentName(5), [9])).rejects.toBeInstanceOf(VolumeFull);
    const collected = await store.collect(EVERYTHING);
    expect(collected).toMatchObject({ gone: 3, made: 1 });
    expect(collected.full).toBeUndefined();
    await reads(kept, [2]);
  });

  it('goes by bytes: a container is written anew for one large chunk among many small ones', async () => {
    const small = Array.from({ length: 60 }, (_, seed) => seed + 100);
    const large = { bytes: randomBytes(1024 * 1024) };
    const chunk = { id: blake3(large.bytes), length: large.bytes.length };
    const session = store.session('web1');
    await session.add({ stored: await compress(large.bytes, 3), chunks: [chunk] });
    await sealIn(session, kept, small);
    const writer = await session.beginPlain(first);
    await writer.add([chunk]);
    await writer.writeIndex([]);
    await writer.seal(manifestOf(first, { data: large.bytes, index: Buffer.alloc(0) }));
    await session.end();
    expect(await store.collect({ smallBytes: 0 })).toMatchObject({ gone: 0 });
    await condemn(store, first);
    const collected = await store.collect({ smallBytes: 0 });
    expect(collected).toMatchObject({ gone: 1, made: 1 });
    expect(collected.freedBytes).toBeGreaterThan(1024 * 1024);
    await reads(kept, small);
  });

  it('that fails before the index changes over leaves nothing behind', async () => {
    await fill();
    await store.close();
    let isFull = true;
    const between = async (step: string) => {
      if (isFull && step === COPIED) throw new VolumeFull(folder.path);
    };
    await open({ between });
    const before = containersOf(folder.path);
    expect(await store.collect(EVERYTHING)).toMatchObject({
      gone: 0,
      full: expect.any(VolumeFull),
    });
    expect(containersOf(folder.path)).toEqual(before);
    isFull = false;
    expect(await store.collect(EVERYTHING)).toMatchObject({ gone: 3, made: 1 });
    await reads(kept, [2]);
  });

  it('has one container open at a time, however many domains there are', async () => {
    await store.close();
    const opened: number[] = [];
    const between = async (step: string) => {
      if (step === COPIED)
        opened.push(openFiles(folder.path).filter((path) => path.includes('.chunks')).length);
    };
    await open({ between });
    const domains = Array.from({ length: 12 }, (_, nth) => `web${nth}`);
    for (const [nth, domain] of domains.entries()) {
      for (const copy of [1, 2]) {
        const session = store.session(domain);
        await sealIn(session, fragmentName(10 * nth + copy), [copy]);
        await session.end();
      }
    }
    expect(await store.collect()).toMatchObject({ gone: 24, made: 12 });
    expect(opened).toHaveLength(12);
    expect(Math.max(...opened)).toBe(0);
    await reads(fragmentName(12), [2]);
  });

  it('tries again what had no room when all that needs none has gone', async () => {
    await fill();
    await store.close();
    let written = 0;
    const between = async (step: string) => {
      // Behind the two in which nothing lives.
      if (step === COPIED && (written += 1) === 3) throw new VolumeFull(folder.path);
    };
    await open({ between });
    const collected = await store.collect(EVERYTHING);
    expect(collected).toMatchObject({ gone: 3, made: 1 });
    expect(collected.full).toBeUndefined();
    await reads(kept, [2]);
  });

  describe('that is cut', () => {
    let answered: () => void;
    beforeEach(async () => {
      answered = () => {};
      await store.close();
      const home = levelHome(`${folder.path}/chunks/index`);
      const index = {
        open: async () => {
          const none = async () => undefined;
          return new ShakyIndex(await home.open(), none, async () => answered());
        },
        putAside: () => home.putAside(),
      };
      await open({ index });
    });
    /** Ends when the index has answered so often: once for each container that is looked at. */
    const collectFor = async (answers: number, options = {}) => {
      const cut = new AbortController();
      let left = answers;
      answered = () => void ((left -= 1) === 0 && cut.abort());
      const collected = await store.collect({ ...options, signal: cut.signal });
      answered = () => {};
      return collected;
    };

    it('is gone on with by the next one, until all of the volume was collected', async () => {
      const clients = Array.from({ length: 15 }, (_, nth) => nth);
      for (const nth of clients) {
        for (const copy of [1, 2]) {
          const session = store.session(`web${nth}`);
          await sealIn(session, fragmentName(10 * nth + copy), [copy]);
          await session.end();
        }
      }
      const all = { gone: 0, made: 0 };
      const unfinished: boolean[] = [];
      for (let rounds = 0; rounds < 15 && all.gone < 30; rounds += 1) {
        const { gone, made, isUnfinished = false } = await collectFor(10);
        all.gone += gone;
        all.made += made;
        unfinished.push(isUnfinished);
      }
      expect(all).toEqual({ gone: 30, made: 15 });
      expect(unfinished.slice(0, -1)).not.toContain(false);
      const last = await store.collect();
      expect(last).toMatchObject({ gone: 0, made: 0 });
      expect(last.isUnfinished).toBeUndefined();
      for (const nth of clients) await reads(fragmentName(10 * nth + 2), [2]);
    });

    it('has the next one look again: what came to life meanwhile stays', async () => {
      await sealAlone(store, lone, [1, 2, 3, 4]);
      await sealAlone(store, kept, [2]);
      await condemn(store, lone);
      const before = containersOf(folder.path);
      expect(await collectFor(1, EVERYTHING)).toMatchObject({ gone: 0, isUnfinished: true });
      expect(await sealAlone(store, first, [1, 2, 3])).toEqual([]);
      expect(await store.collect(EVERYTHING)).toMatchObject({ gone: 1, made: 1 });
      expect(containersOf(folder.path)).not.toEqual(before);
      await reads(first, [1, 2, 3]);
      await reads(kept, [2]);
    });
  });
});
