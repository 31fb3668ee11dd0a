import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { ClassicLevel } from 'classic-level';
import { copyFolder, fileName, type FragmentName } from '../fragment-name.js';
import {
  condemn,
  archiveOf,
  chunkOf,
  containersOf,
  readArchive,
  sealAlone,
  tombstoneOf,
} from '../testing/chunks.js';
import { fragmentName } from '../testing/fragments.js';
import { ShakyIndex } from '../testing/shaky-index.js';
import { testFolder, type TestFolder } from '../testing/small-volume.js';
import { ChunkStore } from './chunk-store.js';
import { levelHome } from './index/index-home.js';
import { chunkKeys, holderKey } from './index/index-records.js';

const EVERYTHING = { deadShareMin: 0 };

describe('A chunk store that is opened with something amiss', () => {
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
  const reopen = async (between = () => {}) => {
    await store.close();
    between();
    store = await open();
  };
  const index = () => join(folder.path, 'chunks', 'index');
  const loseIndex = () => rmSync(index(), { recursive: true });
  const [first, second] = [1, 2].map((seed) => fragmentName(seed)) as [FragmentName, FragmentName];

  it('counts a recipe that could not be read as soon as it can', async () => {
    await sealAlone(store, first, [1, 2]);
    await sealAlone(store, second, [3]);
    const path = join(folder.path, ...copyFolder(first), fileName(first, 'recipe'));
    const whole = readFileSync(path);
    await reopen(() => {
      loseIndex();
      writeFileSync(path, 'nothing');
    });
    await condemn(store, second);
    const unclosed = join(folder.path, 'chunks', '01', '0123456789abcdef.chunks.partial');
    mkdirSync(dirname(unclosed), { recursive: true });
    writeFileSync(unclosed, 'begun');
    await expect(store.collect(EVERYTHING)).rejects.toThrow(/expire that copy of its image/);
    // Nobody was told of anything in it.
    expect(existsSync(unclosed)).toBe(false);
    writeFileSync(path, whole);
    expect(await store.collect(EVERYTHING)).toMatchObject({ gone: 1 });
    expect((await readArchive(store, first)).equals(archiveOf([1, 2]))).toBe(true);
    await condemn(store, first);
    await store.collect(EVERYTHING);
    expect(containersOf(folder.path)).toEqual([]);
  });

  it.each(['is damaged', 'is gone'])(
    'collects again once a fragment is deleted whose recipe %s and counts nothing',
    async (how) => {
      await sealAlone(store, first, [1, 2]);
      const path = join(folder.path, ...copyFolder(first), fileName(first, 'recipe'));
      await reopen(() => {
        loseIndex();
        if (how === 'is gone') rmSync(path);
        else writeFileSync(path, 'nothing');
      });
      await expect(store.collect(EVERYTHING)).rejects.toThrow(/cannot be read/);
      await condemn(store, first);
      await store.collect(EVERYTHING);
      expect(containersOf(folder.path)).toEqual([]);
      await reopen();
      await store.collect(EVERYTHING);
    },
  );

  it('gives back, from the next start on, what a recipe counted that is gone', async () => {
    await sealAlone(store, first, [1, 2]);
    await sealAlone(store, second, [2]);
    rmSync(join(folder.path, ...copyFolder(first), fileName(first, 'recipe')));
    await condemn(store, first);
    expect(await store.collect(EVERYTHING)).toMatchObject({ gone: 0 });
    await reopen();
    expect(await store.collect(EVERYTHING)).toMatchObject({ gone: 1, made: 1 });
    expect((await readArchive(store, second)).equals(archiveOf([2]))).toBe(true);
    await reopen();
    expect(readdirSync(join(folder.path, 'chunks'))).not.toContain('index.damaged-2');
  });

  it('collects the rest where a release was cut off whose recipe cannot be read any more', async () => {
    await sealAlone(store, first, [1, 2]);
    await sealAlone(store, second, [3]);
    await store.close();
    const between = async (step: string) => {
      if (step === 'release: the ledger has it, the index not yet') throw new Error('cut off');
    };
    store = await ChunkStore.open({ folder: folder.path, reserveBytes: 0, between });
    await expect(condemn(store, first)).rejects.toThrow('cut off');
    const recipe = join(folder.path, '.trash', tombstoneOf(first), fileName(first, 'recipe'));
    await reopen(() => writeFileSync(recipe, 'nothing'));
    await condemn(store, second);
    expect(await store.collect(EVERYTHING)).toMatchObject({ gone: 1 });
    await expect(store.emptyTrash(tombstoneOf(first))).rejects.toThrow(/remove .*recipe\.zst/);
    rmSync(recipe);
    await store.emptyTrash(tombstoneOf(first));
    await reopen();
    await store.collect(EVERYTHING);
    expect(containersOf(folder.path)).toEqual([]);
  });

  it('collects beside a container whose table is damaged, and that nobody needs', async () => {
    await sealAlone(store, first, [1, 2]);
    await sealAlone(store, second, [3]);
    await condemn(store, first);
    await condemn(store, second);
    const [one] = containersOf(folder.path);
    await reopen(() => {
      loseIndex();
      writeFileSync(one!, readFileSync(one!).subarray(1));
    });
    const id = one!.slice(-23, -7);
    expect(await store.collect(EVERYTHING)).toMatchObject({ gone: 1, damaged: [id] });
  });

  it('makes the index anew that is cut off where its containers and holders are listed', async () => {
    await sealAlone(store, first, [1, 2]);
    await sealAlone(store, second, [3]);
    // Opening it again turns its log into tables.
    await reopen();
    await store.close();
    const tables = readdirSync(index()).filter((name) => name.endsWith('.ldb'));
    expect(tables.length).toBeGreaterThan(0);
    for (const name of tables) {
      const path = join(index(), name);
      const bytes = readFileSync(path);
      // Its last part, which says where the others are, stays.
      writeFileSync(
        path,
        Buffer.concat([Buffer.alloc(bytes.length - 300, 0xff), bytes.subarray(-300)]),
      );
    }
    store = await open();
    expect((await readArchive(store, first)).equals(archiveOf([1, 2]))).toBe(true);
    await condemn(store, first);
    await store.collect(EVERYTHING);
    expect(containersOf(folder.path)).toHaveLength(1);
  });

  it('makes the index anew whose damage is met only when it is made up for what a crash left', async () => {
    await sealAlone(store, first, [1, 2]);
    await store.close();
    const options = { keyEncoding: 'buffer', valueEncoding: 'buffer' } as const;
    const db = new ClassicLevel<Buffer, Buffer>(index(), options);
    await db.put(chunkKeys('web1', [chunkOf(1).id])[0]!, Buffer.alloc(16));
    await db.del(holderKey(first.fragmentId));
    await db.close();
    store = await open();
    expect((await readArchive(store, first)).equals(archiveOf([1, 2]))).toBe(true);
    expect(readdirSync(join(folder.path, 'chunks'))).toContain('index.damaged-1');
  });

  it('lets go of the index where that cannot be brought up to the containers', async () => {
    await sealAlone(store, first, [1, 2]);
    await store.close();
    loseIndex();
    const home = levelHome(index());
    const fails = async () => {
      throw new Error('no more');
    };
    const shaky = {
      open: async () => new ShakyIndex(await home.open(), fails, async () => undefined),
      putAside: () => home.putAside(),
    };
    const opening = ChunkStore.open({ folder: folder.path, reserveBytes: 0, index: shaky });
    await expect(opening).rejects.toThrow('no more');
    store = await open();
    expect((await readArchive(store, first)).equals(archiveOf([1, 2]))).toBe(true);
  });
});
