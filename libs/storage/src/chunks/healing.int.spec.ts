import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { compress } from '#archive/frames/zstd.js';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { until } from '../../../../test/support/until.js';
import type { FragmentName } from '../fragment-name.js';
import {
  condemn,
  archiveOf,
  chunkOf,
  containersOf,
  damageFrames,
  readArchive,
  sealAlone,
} from '../testing/chunks.js';
import { fragmentName, manifestOf } from '../testing/fragments.js';
import { testFolder, type TestFolder } from '../testing/small-volume.js';
import { ChunkStore } from './chunk-store.js';

describe('A chunk that is lost where it lies', () => {
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
  const [first, second, third] = [1, 2, 3].map((seed) => fragmentName(seed)) as [
    FragmentName,
    FragmentName,
    FragmentName,
  ];
  const seeds = [1, 2, 3, 4, 5, 6];
  const asks = async (...some: number[]) => {
    const session = store.session('web1');
    const there = await session.ask(some.map((seed) => chunkOf(seed).id));
    await session.end();
    return there;
  };
  const verify = async () => {
    const damage: string[] = [];
    for await (const verdict of store.verify()) damage.push(...verdict.damage);
    return damage;
  };
  const reads = async (name: FragmentName, of: readonly number[]) =>
    expect((await readArchive(store, name)).equals(archiveOf(of))).toBe(true);
  /** Reads until nobody is told any more that this is here: its container is looked over meanwhile. */
  const isFoundOut = async (seed: number) => {
    const isUnknown = async () => {
      if ((await asks(seed)).join() === 'false') return true;
      await expect(readArchive(store, first)).rejects.toThrow(/is lost/);
      return false;
    };
    await until(isUnknown, { what: 'the container to be looked over' });
  };

  it('counts as here until that is found out, and is sent again then: all that need it are whole', async () => {
    await sealAlone(store, first, seeds);
    damageFrames(containersOf(folder.path)[0]!, 'first');
    expect(await asks(...seeds)).toEqual(seeds.map(() => true));
    await expect(readArchive(store, first)).rejects.toThrow(/needs a chunk that is lost/);
    // Found by a look over all of the container, in the background.
    await isFoundOut(1);
    expect(await sealAlone(store, second, [...seeds, 7])).toEqual([1, 2, 3, 7]);
    await reads(second, [...seeds, 7]);
    await reads(first, seeds);
    await store.close();
    store = await open();
    await reads(first, seeds);
    expect(await verify()).toHaveLength(1);
  });

  it('is healed by a container of which another chunk is not what its id says', async () => {
    await sealAlone(store, first, seeds);
    damageFrames(containersOf(folder.path)[0]!, 'first');
    expect(await verify()).toHaveLength(1);
    const session = store.session('web1');
    const [one, wrong] = [chunkOf(1), chunkOf(8)];
    const bytes = Buffer.concat([one.bytes, Buffer.alloc(wrong.length, 'another')]);
    await session.add({ stored: await compress(bytes, 3), chunks: [one, wrong] });
    await session.flush();
    await session.end();
    expect(await asks(1, 2)).toEqual([true, false]);
    await sealAlone(store, second, [1, 2, 3]);
    await reads(first, seeds);
  });

  it.each(['with its fragment', 'before it'])(
    'is not named where it came again, %s, and is not what its id says',
    async (when) => {
      await sealAlone(store, first, seeds);
      damageFrames(containersOf(folder.path)[0]!, 'first');
      expect(await verify()).toHaveLength(1);
      const session = store.session('web1');
      const one = chunkOf(1);
      const stored = await compress(Buffer.alloc(one.length, 'another'), 3);
      await session.add({ stored, chunks: [one] });
      const refusal = /came again, and is not what its id says/;
      if (when === 'before it') await expect(session.flush()).rejects.toThrow(refusal);
      const writer = await session.beginPlain(second);
      await writer.add([one]);
      const manifest = manifestOf(second, { data: archiveOf([1]), index: Buffer.alloc(0) });
      await expect(writer.seal(manifest)).rejects.toThrow(refusal);
      await writer.abandon();
      await session.end();
      await sealAlone(store, third, [1, 2, 3]);
      await reads(first, seeds);
    },
  );

  it('is found by a verification, and its container goes with the next collection', async () => {
    await sealAlone(store, first, seeds);
    const [old] = containersOf(folder.path);
    damageFrames(old!, 'first');
    expect(await verify()).toHaveLength(1);
    expect(await store.collect({ deadShareMin: 0 })).toMatchObject({ gone: 0 });
    await sealAlone(store, second, [3, 2, 1]);
    const collected = await store.collect();
    expect(collected).toMatchObject({ damaged: [] });
    expect(containersOf(folder.path)).not.toContain(old);
    expect(await verify()).toEqual([]);
    await store.close();
    rmSync(join(folder.path, 'chunks/index'), { recursive: true });
    store = await open();
    await reads(first, seeds);
    await reads(second, [3, 2, 1]);
    await condemn(store, first);
    await reads(second, [3, 2, 1]);
    await condemn(store, second);
    await store.collect({ deadShareMin: 0 });
    expect(containersOf(folder.path)).toEqual([]);
  });

  it('is found out however often its container was looked over before', async () => {
    await sealAlone(store, first, seeds);
    const [path] = containersOf(folder.path);
    damageFrames(path!, 'first');
    await expect(readArchive(store, first)).rejects.toThrow(/is lost/);
    await isFoundOut(1);
    expect(await sealAlone(store, second, [1, 2, 3])).toEqual([1, 2, 3]);
    await reads(first, seeds);
    damageFrames(path!);
    await expect(readArchive(store, first)).rejects.toThrow(/is lost/);
    await isFoundOut(4);
    expect(await sealAlone(store, third, [4, 5, 6])).toEqual([4, 5, 6]);
    await reads(first, seeds);
  });

  it('that is read again the next time leaves nothing behind', async () => {
    await sealAlone(store, first, seeds);
    const [path] = containersOf(folder.path);
    const whole = readFileSync(path!);
    damageFrames(path!);
    const reader = await store.open(first);
    await expect(reader.read('data', 0, 1)).rejects.toThrow(/is lost/);
    writeFileSync(path!, whole);
    await reader.close();
    await reads(first, seeds);
    damageFrames(path!);
    await expect(readArchive(store, first)).rejects.toThrow(/is lost/);
    await isFoundOut(1);
  });

  it('is healed while a session that was told of it, and a deletion, are on their way', async () => {
    await sealAlone(store, first, seeds);
    await sealAlone(store, third, [1, 2]);
    const told = store.session('web1');
    expect(await told.ask(seeds.map((seed) => chunkOf(seed).id))).toEqual(seeds.map(() => true));
    damageFrames(containersOf(folder.path)[0]!);
    await verify();
    await sealAlone(store, second, seeds);
    for (const name of [first, second, third]) await condemn(store, name);
    await store.collect({ deadShareMin: 0 });
    // It relies on what it was told: nothing is asked or sent again.
    const writer = await told.beginPlain(fragmentName(4));
    await writer.add(seeds.map(chunkOf));
    await writer.seal(
      manifestOf(fragmentName(4), { data: archiveOf(seeds), index: Buffer.alloc(0) }),
    );
    await told.end();
    await store.collect({ deadShareMin: 0 });
    await reads(fragmentName(4), seeds);
    await condemn(store, fragmentName(4));
    await store.collect({ deadShareMin: 0 });
    expect(containersOf(folder.path)).toEqual([]);
  });

  it('is not one to which a recipe gives another length', async () => {
    await sealAlone(store, first, [1, 2]);
    const session = store.session('web1');
    const wrong = { ...chunkOf(1), length: chunkOf(1).length - 1 };
    await session.ask([wrong.id]);
    const writer = await session.beginPlain(second);
    await writer.add([wrong]);
    const data = archiveOf([1]).subarray(1);
    await writer.seal(manifestOf(second, { data, index: Buffer.alloc(0) }));
    await session.end();
    const reading = readArchive(store, second);
    await expect(reading).rejects.toThrow(
      /recipe that gives chunk [0-9a-f]{64} 2919 bytes, and it has 2920/,
    );
    await reads(first, [1, 2]);
    expect(await asks(1, 2)).toEqual([true, true]);
  });

  it('is not healed by bytes that are not what their id says', async () => {
    await sealAlone(store, first, [1]);
    damageFrames(containersOf(folder.path)[0]!);
    await verify();
    const session = store.session('web1');
    expect(await session.ask([chunkOf(1).id])).toEqual([false]);
    const wrong = Buffer.alloc(chunkOf(1).length, 'x');
    await session.add({ stored: await compress(wrong, 3), chunks: [chunkOf(1)] });
    await expect(session.flush()).rejects.toThrow(/is not what its id says/);
    await session.end();
    expect(await asks(1)).toEqual([false]);
    expect(await sealAlone(store, second, [1])).toEqual([1]);
    await reads(first, [1]);
    await reads(second, [1]);
  });
});
