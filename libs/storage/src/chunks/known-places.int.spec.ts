import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { blake3 } from '@napi-rs/blake-hash';
import { until } from '../../../../test/support/until.js';
import { compress } from '#archive/frames/zstd.js';
import {
  archiveOf,
  chunkOf,
  containersOf,
  damageFrames,
  frameOf,
  grantOf,
  readArchive,
  sealAlone,
  send,
  tombstoneOf,
} from '../testing/chunks.js';
import { fragmentName, manifestOf } from '../testing/fragments.js';
import { ShakyIndex } from '../testing/shaky-index.js';
import { testFolder, type TestFolder } from '../testing/small-volume.js';
import type { ChunkSession } from './chunk-session.js';
import { ChunkStore } from './chunk-store.js';
import { CONTAINER_CHUNKS_MAX } from './containers/container-format.js';
import type { ChunkIndex } from './index/chunk-index.js';
import { levelHome } from './index/index-home.js';
import { RecipeFiles } from './recipe-files.js';

/** An index that counts the ids that it is asked for. */
class CountingIndex extends ShakyIndex {
  asked = 0;
  /** What happens when it has taken a container in. */
  added: () => void = () => undefined;

  override lookup(domain: string, ids: readonly Buffer[]) {
    this.asked += ids.length;
    return super.lookup(domain, ids);
  }

  override async add(...of: Parameters<ShakyIndex['add']>) {
    const result = await super.add(...of);
    this.added();
    return result;
  }
}

describe('What a session knows of places', () => {
  let folder: TestFolder;
  let store: ChunkStore;
  let index: CountingIndex;
  /** What happens at a step, each time. */
  const steps = new Map<string, () => Promise<void>>();
  const between = (step: string) => steps.get(step)?.() ?? Promise.resolve();
  const home = () => levelHome(join(folder.path, 'chunks', 'index'));
  const counting = (one: ChunkIndex) =>
    (index = new CountingIndex(
      one,
      async () => undefined,
      async () => undefined,
    ));

  beforeEach(async () => {
    folder = testFolder();
    const homes = { open: async () => counting(await home().open()), putAside: async () => {} };
    store = await ChunkStore.open({ folder: folder.path, reserveBytes: 0, index: homes, between });
  });
  afterEach(async () => {
    steps.clear();
    await store.close();
    folder.dispose();
  });

  const ids = (seeds: readonly number[]) => seeds.map((seed) => chunkOf(seed).id);
  const named = async (session: ChunkSession, number: number, seeds: readonly number[]) => {
    const name = fragmentName(number);
    const writer = await session.beginPlain(name);
    await writer.add(seeds.map(chunkOf));
    await writer.writeIndex([Buffer.from('index')]);
    const data = archiveOf(seeds);
    return {
      name,
      seal: () => writer.seal(manifestOf(name, { data, index: Buffer.from('index') })),
      abandon: () => writer.abandon(),
    };
  };
  const remove = async (number: number) => {
    await store.remove(grantOf(fragmentName(number)), fragmentName(number));
    await store.emptyTrash(tombstoneOf(fragmentName(number)));
  };
  const collect = () => store.collect({ deadShareMin: 0 });
  const countOf = async (seed: number) => {
    const [place] = await index.lookup('web1', [chunkOf(seed).id]);
    return (await index.counts(place!.container))![place!.ordinal];
  };
  const reads = async (number: number, seeds: readonly number[]) =>
    expect((await readArchive(store, fragmentName(number))).equals(archiveOf(seeds))).toBe(true);
  /** When these are gone nothing counts, and nothing is left. */
  const nothingIsLeft = async (...numbers: number[]) => {
    for (const number of numbers) await remove(number);
    await collect();
    expect(containersOf(folder.path)).toEqual([]);
  };

  it('is not looked up again to seal what it was told of, and what it has sent', async () => {
    await sealAlone(store, fragmentName(1), [1, 2, 3]);
    const session = store.session('web1');
    await send(session, [1, 2, 3, 4, 5]);
    const fragment = await named(session, 2, [1, 2, 4, 5, 1]);
    const next = await named(session, 3, [5, 3]);
    await session.flush();
    const { asked } = index;
    await fragment.seal();
    await next.seal();
    expect(index.asked).toBe(asked);
    await session.end();
    expect(await Promise.all([1, 2, 3, 4, 5].map(countOf))).toEqual([2, 2, 2, 1, 2]);
    await reads(2, [1, 2, 4, 5, 1]);
    await nothingIsLeft(1, 2, 3);
  });

  it('follows what moves behind its naming', async () => {
    await sealAlone(store, fragmentName(1), [1, 2, 3]);
    await sealAlone(store, fragmentName(2), [1]);
    const session = store.session('web1');
    await session.ask(ids([3]));
    const fragment = await named(session, 3, [3]);
    await remove(1);
    expect(await collect()).toMatchObject({ gone: 1 });
    await fragment.seal();
    await session.end();
    expect(await Promise.all([1, 3].map(countOf))).toEqual([1, 1]);
    await collect();
    await reads(2, [1]);
    await reads(3, [3]);
    await nothingIsLeft(2, 3);
  });

  it('is forgotten when anything moves before its naming', async () => {
    await sealAlone(store, fragmentName(1), [1, 2, 3]);
    await sealAlone(store, fragmentName(2), [1]);
    const session = store.session('web1');
    await session.ask(ids([3]));
    await remove(1);
    expect(await collect()).toMatchObject({ gone: 1 });
    await (await named(session, 3, [3])).seal();
    await session.end();
    expect(await Promise.all([1, 3].map(countOf))).toEqual([1, 1]);
    await reads(3, [3]);
    await nothingIsLeft(2, 3);
  });

  it('is looked up for a recipe of more than a mebibyte, too, whose end is not on its way to the disk yet', async () => {
    await sealAlone(store, fragmentName(1), [1, 2, 3]);
    await sealAlone(store, fragmentName(2), [1]);
    const session = store.session('web1');
    await session.ask(ids([3]));
    await remove(1);
    expect(await collect()).toMatchObject({ gone: 1 });
    const tiny = Array.from({ length: 45_000 }, (_, nth) => {
      const bytes = Buffer.from(`tiny ${nth}`);
      return { id: blake3(bytes), length: bytes.length, bytes };
    });
    for (let at = 0; at < tiny.length; at += 1_000) {
      const chunks = tiny.slice(at, at + 1_000);
      const stored = await compress(Buffer.concat(chunks.map(({ bytes }) => bytes)), 1);
      await session.add({ stored, chunks });
    }
    const chunks = [chunkOf(3), ...tiny];
    const data = Buffer.concat(chunks.map(({ bytes }) => bytes));
    const name = fragmentName(3);
    const writer = await session.beginPlain(name);
    await writer.add(chunks);
    const index = Buffer.from('index');
    await writer.writeIndex([index]);
    await writer.seal(manifestOf(name, { data, index }));
    await session.end();
    expect((await readArchive(store, name)).equals(data)).toBe(true);
    await nothingIsLeft(2, 3);
  });

  it('is where the chunk lies, if another session was first to write it', async () => {
    const session = store.session('web1');
    await session.add(await frameOf([6, 7, 8]));
    const early = await named(session, 1, [7, 8]);
    await sealAlone(store, fragmentName(2), [8, 9]);
    await early.seal();
    const late = await named(session, 3, [8, 6]);
    await late.seal();
    await session.end();
    expect(await Promise.all([6, 7, 8, 9].map(countOf))).toEqual([1, 1, 3, 1]);
    await remove(2);
    await collect();
    await reads(1, [7, 8]);
    await reads(3, [8, 6]);
    await nothingIsLeft(1, 3);
  });

  it('is where the chunk lies, also for who names it in the moment in which that is found out', async () => {
    for (let ticks = 0; ticks < 40; ticks += 1) {
      const [both, own] = [1_000 + 2 * ticks, 1_001 + 2 * ticks];
      const session = store.session('web1');
      await session.add(await frameOf([both, own]));
      await sealAlone(store, fragmentName(1_000 + ticks), [both]);
      const name = fragmentName(2_000 + ticks);
      const writer = await session.beginPlain(name);
      let naming: Promise<void> | undefined;
      index.added = () => {
        const name = async () => {
          for (let tick = 0; tick < ticks; tick += 1) await undefined;
          await writer.add([chunkOf(both)]);
        };
        naming = name();
      };
      await session.flush();
      await naming;
      index.added = () => undefined;
      await writer.writeIndex([Buffer.from('index')]);
      const data = archiveOf([both]);
      await writer.seal(manifestOf(name, { data, index: Buffer.from('index') }));
      await session.end();
      expect({ ticks, count: await countOf(both) }).toEqual({ ticks, count: 2 });
    }
  });

  it('is forgotten, or follows, where another session heals what was lost', async () => {
    await sealAlone(store, fragmentName(1), [1, 2]);
    damageFrames(containersOf(folder.path)[0]!);
    const [before, behind] = [store.session('web1'), store.session('web1')];
    await before.ask(ids([1, 2]));
    await behind.ask(ids([1, 2]));
    const fragment = await named(before, 2, [1]);
    const isKnown = async () => {
      const session = store.session('web1');
      const known = await session.ask(ids([1, 2]));
      await session.end();
      return known.some(Boolean);
    };
    await expect(readArchive(store, fragmentName(1))).rejects.toThrow(/is lost/);
    await until(async () => !(await isKnown()), { what: 'the container to be looked over' });
    expect(await sealAlone(store, fragmentName(3), [1, 2])).toEqual([1, 2]);
    await fragment.seal();
    await (await named(behind, 4, [2])).seal();
    await before.end();
    await behind.end();
    expect(await Promise.all([1, 2].map(countOf))).toEqual([3, 3]);
    for (const number of [1, 3]) await reads(number, [1, 2]);
    await reads(2, [1]);
    await reads(4, [2]);
    await nothingIsLeft(1, 2, 3, 4);
  });

  it('is once for what it sends twice', async () => {
    const session = store.session('web1');
    await session.add(await frameOf([4, 5]));
    await session.add(await frameOf([5, 6]));
    await (await named(session, 1, [4, 5, 6, 5])).seal();
    await session.end();
    expect(await Promise.all([4, 5, 6].map(countOf))).toEqual([1, 1, 1]);
    await reads(1, [4, 5, 6, 5]);
    await nothingIsLeft(1);
  });

  it('seals no recipe that is not what was written', async () => {
    const session = store.session('web1');
    await send(session, [1, 2]);
    // The first frame of a recipe is on the disk before the seal.
    const seeds = Array.from({ length: 5_000 }, (_, nth) => 1 + (nth % 2));
    const fragment = await named(session, 1, seeds);
    const path = new RecipeFiles(folder.path).partialPath(fragment.name);
    const bytes = readFileSync(path);
    expect(bytes.length).toBeGreaterThan(100);
    bytes[bytes.length - 50]! ^= 1;
    writeFileSync(path, bytes);
    await expect(fragment.seal()).rejects.toThrow(/not what was written/);
    await fragment.abandon();
    await session.end();
    expect(await Promise.all([1, 2].map(countOf))).toEqual([0, 0]);
    expect((await store.stat(fragment.name))?.state).not.toBe('sealed');
  });

  describe('while a full container is made durable', () => {
    const CLOSED = 'flush: the container is closed, the index does not know it';
    const PER_FRAME = 2_048;
    /** Chunks of four bytes: so many that a container is full, and one more. */
    const tiny = Array.from({ length: CONTAINER_CHUNKS_MAX + PER_FRAME }, (_, nth) => nth);
    const fill = async (session: ChunkSession) => {
      for (let at = 0; at < tiny.length; at += PER_FRAME) {
        await session.add(await tinyFrame(tiny.slice(at, at + PER_FRAME)));
      }
    };

    it('knows of it what it has sent, and seals when it is durable', async () => {
      let go = () => {};
      const gate = new Promise<void>((resolve) => (go = resolve));
      steps.set(CLOSED, () => gate);
      const session = store.session('web1');
      await fill(session);
      const asked = [tiny[0]!, tiny.at(-1)!].map((nth) => tinyChunk(nth).id);
      expect(await session.ask([...asked, chunkOf(1).id])).toEqual([true, true, false]);
      const name = fragmentName(1);
      const writer = await session.beginPlain(name);
      await writer.add([tiny[0]!, tiny.at(-1)!].map(tinyChunk));
      const data = Buffer.concat([tiny[0]!, tiny.at(-1)!].map((nth) => tinyChunk(nth).bytes));
      let sealed = false;
      const sealing = writer
        .seal(manifestOf(name, { data, index: Buffer.alloc(0) }))
        .then(() => (sealed = true));
      await new Promise((resolve) => setTimeout(resolve, 50));
      expect(sealed).toBe(false);
      go();
      await sealing;
      expect(await session.ask(asked)).toEqual([true, true]);
      await session.end();
      expect((await readArchive(store, name)).equals(data)).toBe(true);
      expect(containersOf(folder.path)).toHaveLength(2);
      await collect();
      expect((await readArchive(store, name)).equals(data)).toBe(true);
    });

    it('seals nothing where that fails, and says why each time', async () => {
      steps.set(CLOSED, async () => {
        throw new Error('the disk is gone');
      });
      const session = store.session('web1');
      await fill(session);
      const writer = await session.beginPlain(fragmentName(1));
      await writer.add([tinyChunk(tiny.at(-1)!)]);
      const data = tinyChunk(tiny.at(-1)!).bytes;
      const manifest = manifestOf(fragmentName(1), { data, index: Buffer.alloc(0) });
      await expect(writer.seal(manifest)).rejects.toThrow('the disk is gone');
      await expect(session.flush()).rejects.toThrow('the disk is gone');
      await writer.abandon();
      await session.end();
      steps.clear();
      expect((await store.stat(fragmentName(1)))?.state).not.toBe('sealed');
      // What is left of it is in nobody's way.
      await sealAlone(store, fragmentName(2), [1, 2]);
      await collect();
      await reads(2, [1, 2]);
    });
  });
});

function tinyChunk(nth: number) {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(nth);
  return { id: blake3(bytes), length: bytes.length, bytes };
}

async function tinyFrame(some: readonly number[]) {
  const chunks = some.map(tinyChunk);
  return { stored: await compress(Buffer.concat(chunks.map(({ bytes }) => bytes)), 3), chunks };
}
