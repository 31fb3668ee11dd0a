import { randomBytes } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { compress } from '#archive/frames/zstd.js';
import { blake3 } from '@napi-rs/blake-hash';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { InvalidInput } from '#kernel/errors.js';
import { FragmentDamaged, FragmentUnreadable, VolumeUnusable } from '../errors.js';
import { copyFolder, fileName, type FragmentName } from '../fragment-name.js';
import {
  condemn,
  archiveOf,
  chunkOf,
  frameOf,
  grantOf,
  grantOrphans,
  readArchive,
  readThrough,
  sealAlone,
  sealIn,
  send,
  tombstoneOf,
} from '../testing/chunks.js';
import { fragmentName, manifestOf } from '../testing/fragments.js';
import { testFolder, type TestFolder } from '../testing/small-volume.js';
import { ChunkStore } from './chunk-store.js';

const EVERYTHING = { deadShareMin: 0 };

describe('A chunk store', () => {
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
  const reopen = async (between?: () => void) => {
    await store.close();
    between?.();
    store = await open();
  };
  const containers = () => {
    const chunks = join(folder.path, 'chunks');
    return readdirSync(chunks)
      .filter((name) => /^[0-9a-f]{2}$/.test(name))
      .flatMap((name) => readdirSync(join(chunks, name)).map((file) => join(chunks, name, file)));
  };
  const [first, second, third] = [1, 2, 3].map((seed) => fragmentName(seed)) as [
    FragmentName,
    FragmentName,
    FragmentName,
  ];

  describe('for what is stored: it', () => {
    it('takes in each chunk once and gives back every archive', async () => {
      expect(await sealAlone(store, first, [1, 2, 3, 2])).toEqual([1, 2, 3]);
      expect(await sealAlone(store, second, [3, 4, 1])).toEqual([4]);
      await reopen();
      expect((await readArchive(store, first)).equals(archiveOf([1, 2, 3, 2]))).toBe(true);
      expect((await readArchive(store, second)).equals(archiveOf([3, 4, 1]))).toBe(true);
      expect(await store.stat(first)).toMatchObject({ state: 'sealed' });
    });

    it('reads any range', async () => {
      const seeds = Array.from({ length: 40 }, (_, seed) => seed % 13);
      await sealAlone(store, first, seeds);
      const archive = archiveOf(seeds);
      const reader = await store.open(first);
      for (const [offset, length] of [
        [0, 1],
        [archive.length - 1, 1],
        [archive.length, 0],
        [1_234, 20_000],
        [100, 3],
      ] as const) {
        const expected = archive.subarray(offset, offset + length);
        expect((await reader.read('data', offset, length)).equals(expected)).toBe(true);
      }
      await expect(reader.read('data', archive.length, 1)).rejects.toBeInstanceOf(
        FragmentUnreadable,
      );
      await expect(reader.read('data', -1, 1)).rejects.toBeInstanceOf(FragmentUnreadable);
      await reader.close();
    });

    it('goes on in another container when one is full', async () => {
      const session = store.session('web1');
      const chunks = Array.from({ length: 18 }, () => {
        const bytes = randomBytes(4 * 1024 * 1024);
        return { id: blake3(bytes), length: bytes.length, bytes };
      });
      for (const { bytes, ...chunk } of chunks) {
        await session.add({ stored: await compress(bytes, 1), chunks: [chunk] });
      }
      const writer = await session.beginPlain(first);
      await writer.add(chunks);
      const index = Buffer.from('index');
      await writer.writeIndex([index]);
      const data = Buffer.concat(chunks.map(({ bytes }) => bytes));
      await writer.seal(manifestOf(first, { data, index }));
      await session.end();
      expect(containers()).toHaveLength(2);
      const archive = await readArchive(store, first);
      expect(archive.equals(data)).toBe(true);
    });

    it('keeps the domains apart', async () => {
      await sealAlone(store, first, [1, 2]);
      const other = store.session('web2');
      expect(await other.ask([chunkOf(1).id])).toEqual([false]);
      await expect(sealWithout(other, second, [1])).rejects.toThrow(/names 1 chunks/);
      await other.end();
      expect(() => store.session('../x')).toThrow(InvalidInput);
    });

    it('seals no recipe of chunks that are not here', async () => {
      const session = store.session('web1');
      await session.add(await frameOf([1]));
      const sealing = sealWithout(session, first, [1, 9]);
      await expect(sealing).rejects.toThrow(/names 1 chunks that are not here/);
      await session.end();
      expect(await store.stat(first)).toMatchObject({ state: 'partial' });
      await reopen();
      expect(await store.stat(first)).toMatchObject({ state: 'partial' });
      await store.collect(EVERYTHING);
      expect(containers()).toEqual([]);
    });

    it('is open in one process at a time', async () => {
      await expect(open()).rejects.toBeInstanceOf(VolumeUnusable);
    });
  });

  describe('for what is deleted: it', () => {
    it('collects what no recipe names, when the trash is emptied and not before', async () => {
      await sealAlone(store, first, [1, 2, 3]);
      await sealAlone(store, second, [3, 4]);
      await store.remove(grantOf(first), first);
      await store.collect(EVERYTHING);
      await store.takeBack(tombstoneOf(first), first);
      expect((await readArchive(store, first)).equals(archiveOf([1, 2, 3]))).toBe(true);
      await condemn(store, first);
      await condemn(store, first);
      await store.collect(EVERYTHING);
      expect((await readArchive(store, second)).equals(archiveOf([3, 4]))).toBe(true);
      const session = store.session('web1');
      const there = await session.ask([1, 2, 3, 4].map((seed) => chunkOf(seed).id));
      expect(there).toEqual([false, false, true, true]);
      await session.end();
      await condemn(store, second);
      await store.collect(EVERYTHING);
      expect(containers()).toEqual([]);
    });

    it('keeps what an open session was told is there', async () => {
      await sealAlone(store, first, [1, 2, 3]);
      const session = store.session('web1');
      expect(await session.ask([chunkOf(2).id])).toEqual([true]);
      await condemn(store, first);
      await store.collect(EVERYTHING);
      await store.collect(EVERYTHING);
      expect(await sealIn(session, second, [2])).toEqual([]);
      await session.end();
      await store.collect(EVERYTHING);
      expect((await readArchive(store, second)).equals(archiveOf([2]))).toBe(true);
    });

    it('leaves a reader alone whose containers are collected', async () => {
      const seeds = Array.from({ length: 60 }, (_, seed) => seed);
      await sealAlone(store, first, seeds);
      await sealAlone(
        store,
        second,
        seeds.filter((seed) => seed % 2 === 0),
      );
      const reader = await store.open(second);
      const start = await reader.read('data', 0, 10);
      await condemn(store, first);
      expect((await store.collect(EVERYTHING)).gone).toBeGreaterThan(0);
      const rest = await readThrough(reader);
      expect(rest.equals(archiveOf(seeds.filter((seed) => seed % 2 === 0)))).toBe(true);
      expect(rest.subarray(0, 10).equals(start)).toBe(true);
      await reader.close();
    });

    it('puts small containers together, and leaves alone what was closed just now', async () => {
      for (let seed = 1; seed <= 5; seed += 1) await sealAlone(store, fragmentName(seed), [seed]);
      expect(await store.collect({ sparedSince: new Date(0) })).toMatchObject({ gone: 0 });
      expect(await store.collect()).toMatchObject({ gone: 5, made: 1 });
      expect(await store.collect()).toMatchObject({ gone: 0, made: 0 });
      for (let seed = 1; seed <= 5; seed += 1) {
        const archive = await readArchive(store, fragmentName(seed));
        expect(archive.equals(archiveOf([seed]))).toBe(true);
      }
    });

    it('gives up nothing where the recipe in the trash cannot be read', async () => {
      await sealAlone(store, first, [1]);
      await store.remove(grantOf(first), first);
      const path = join(folder.path, '.trash', tombstoneOf(first), fileName(first, 'recipe'));
      const whole = readFileSync(path);
      writeFileSync(path, whole.subarray(1));
      await expect(store.emptyTrash(tombstoneOf(first))).rejects.toBeInstanceOf(FragmentDamaged);
      writeFileSync(path, whole);
      await store.takeBack(tombstoneOf(first), first);
      await store.collect(EVERYTHING);
      expect((await readArchive(store, first)).equals(archiveOf([1]))).toBe(true);
    });
  });

  describe('for what is lost: it', () => {
    const lose = (name: string) => () =>
      rmSync(join(folder.path, 'chunks', name), { recursive: true });

    it('makes the index anew, with its counts', async () => {
      await sealAlone(store, first, [1, 2, 3]);
      await sealAlone(store, second, [3, 4]);
      await store.remove(grantOf(second), second);
      await reopen(lose('index'));
      expect((await readArchive(store, first)).equals(archiveOf([1, 2, 3]))).toBe(true);
      await condemn(store, first);
      await store.collect(EVERYTHING);
      await store.takeBack(tombstoneOf(second), second);
      expect((await readArchive(store, second)).equals(archiveOf([3, 4]))).toBe(true);
      await condemn(store, second);
      await store.collect(EVERYTHING);
      expect(containers()).toEqual([]);
    });

    it('makes the index anew when it is damaged, or has lost a change', async () => {
      await sealAlone(store, first, [1, 2, 3]);
      const index = join(folder.path, 'chunks', 'index');
      await reopen(() => {
        const [manifest] = readdirSync(index).filter((name) => name.startsWith('MANIFEST'));
        writeFileSync(join(index, manifest!), 'nothing');
      });
      expect((await readArchive(store, first)).equals(archiveOf([1, 2, 3]))).toBe(true);
      expect(readdirSync(join(folder.path, 'chunks'))).toContain('index.damaged-1');
      await store.close();
      // As if the change-over to the new container had been lost.
      const [only] = containers();
      renameSync(only!, `${only}.hidden`);
      store = await open();
      expect(readdirSync(join(folder.path, 'chunks'))).toContain('index.damaged-2');
      await expect(readArchive(store, first)).rejects.toThrow(/is not in the volume/);
      await expect(store.collect(EVERYTHING)).rejects.toThrow(/names chunks that are not there/);
      renameSync(`${only}.hidden`, only!);
      await reopen();
      await store.collect(EVERYTHING);
      expect((await readArchive(store, first)).equals(archiveOf([1, 2, 3]))).toBe(true);
    });

    it('makes lost references anew, and keeps orphans until they are granted', async () => {
      await sealAlone(store, first, [1, 2]);
      await sealAlone(store, second, [2, 3]);
      await sealAlone(store, third, [4]);
      await store.remove(grantOf(second), second);
      await reopen(() => {
        lose('references')();
        // A recipe that somebody has mislaid: its chunks are nobody's now.
        rmSync(join(folder.path, ...copyFolder(third), fileName(third, 'recipe')));
      });
      const journal = join(folder.path, 'chunks/references/journal-00000001.log');
      expect(readFileSync(journal, 'latin1').split('ORPHANS_KEPT')).toHaveLength(2);
      await expect(store.collect(EVERYTHING)).rejects.toThrow(/references were lost/);
      await reopen();
      await expect(store.collect(EVERYTHING)).rejects.toThrow(/references were lost/);
      await grantOrphans(store);
      await store.collect(EVERYTHING);
      await store.takeBack(tombstoneOf(second), second);
      expect((await readArchive(store, first)).equals(archiveOf([1, 2]))).toBe(true);
      expect((await readArchive(store, second)).equals(archiveOf([2, 3]))).toBe(true);
    });

    it('finds a recipe again that was in the trash when the references were lost', async () => {
      await sealAlone(store, first, [1, 2]);
      await store.remove(grantOf(first), first);
      await reopen(lose('references'));
      await store.takeBack(tombstoneOf(first), first);
      await grantOrphans(store);
      await reopen(lose('index'));
      await store.collect(EVERYTHING);
      expect((await readArchive(store, first)).equals(archiveOf([1, 2]))).toBe(true);
    });

    it('opens when the references are lost in the middle of a removal, which is then repeated', async () => {
      await sealAlone(store, first, [1, 2]);
      const trash = join(folder.path, '.trash', tombstoneOf(first));
      await reopen(() => {
        lose('references')();
        mkdirSync(trash, { recursive: true });
        const manifest = fileName(first, 'manifest');
        renameSync(join(folder.path, ...copyFolder(first), manifest), join(trash, manifest));
      });
      await store.remove(grantOf(first), first);
      await store.takeBack(tombstoneOf(first), first);
      expect((await readArchive(store, first)).equals(archiveOf([1, 2]))).toBe(true);
    });

    it('keeps the chunks of a recipe that is lost, and collects nothing while it does not know them', async () => {
      await sealAlone(store, first, [1, 2]);
      const path = join(folder.path, ...copyFolder(first), fileName(first, 'recipe'));
      const whole = readFileSync(path);
      await reopen(() => rmSync(path));
      await store.collect(EVERYTHING);
      await reopen(lose('index'));
      await expect(store.collect(EVERYTHING)).rejects.toThrow(
        /recipe of fragment .* cannot be read/,
      );
      writeFileSync(path, whole);
      await reopen();
      await store.collect(EVERYTHING);
      expect((await readArchive(store, first)).equals(archiveOf([1, 2]))).toBe(true);
    });

    it('finds damage in what lies there', async () => {
      await sealAlone(store, first, [1, 2, 3, 4]);
      const verdicts = async () => {
        const found = [];
        for await (const verdict of store.verify()) found.push(verdict);
        return found;
      };
      expect(await verdicts()).toMatchObject([{ chunks: 4, damage: [] }]);
      const [path] = containers();
      const bytes = readFileSync(path!);
      bytes[100]! ^= 1;
      writeFileSync(path!, bytes);
      expect((await verdicts())[0]!.damage).toEqual([
        expect.stringMatching(/frame \d has another digest/),
      ]);
      await expect(readArchive(store, first)).rejects.toBeInstanceOf(FragmentUnreadable);
      await sealAlone(store, second, [4]);
      expect((await store.collect(EVERYTHING)).damaged.length).toBeLessThanOrEqual(1);
    });
  });

  async function sealWithout(
    session: ReturnType<ChunkStore['session']>,
    name: FragmentName,
    seeds: readonly number[],
  ): Promise<void> {
    const writer = await session.beginPlain(name);
    try {
      await writer.add(seeds.map(chunkOf));
      const seal = async () =>
        writer.seal(manifestOf(name, { data: archiveOf(seeds), index: Buffer.alloc(0) }));
      await seal();
    } finally {
      await writer.abandon();
    }
  }

  it('answers for what a session has sent and not yet made durable', async () => {
    const session = store.session('web1');
    expect(await send(session, [1, 2])).toEqual([1, 2]);
    expect(await session.ask([1, 2, 3].map((seed) => chunkOf(seed).id))).toEqual([
      true,
      true,
      false,
    ]);
    await session.end();
    expect(containers()).toHaveLength(1);
    expect(containers()[0]).toMatch(/\.partial$/);
    await store.collect();
    expect(containers()).toEqual([]);
  });
});
