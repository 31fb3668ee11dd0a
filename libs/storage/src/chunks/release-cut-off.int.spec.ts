import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { DirectoryFragmentStore } from '../directory/directory-fragment-store.js';
import { VolumeWriteFailed } from '../errors.js';
import {
  archiveOf,
  containersOf,
  grantOf,
  readArchive,
  sealAlone,
  tombstoneOf,
} from '../testing/chunks.js';
import { whereASyncFails } from '../testing/failing-disk.js';
import { fragmentName } from '../testing/fragments.js';
import { testFolder, type TestFolder } from '../testing/small-volume.js';
import { ChunkStore } from './chunk-store.js';

const name = fragmentName(1);
const seeds = [1, 2, 3];
const EVERYTHING = { deadShareMin: 0 };

describe('A release that nobody knows whether it was written', () => {
  let folder: TestFolder;
  let store: ChunkStore;
  const open = () => ChunkStore.open({ folder: folder.path, reserveBytes: 0 });
  beforeEach(async () => {
    folder = testFolder();
    store = await open();
    await sealAlone(store, name, seeds);
    await store.remove(grantOf(name), name);
    // Its bytes are on the disk, and the disk has said that they are not.
    const emptying = whereASyncFails(() => store.emptyTrash(tombstoneOf(name)));
    await expect(emptying).rejects.toBeInstanceOf(VolumeWriteFailed);
  });
  afterEach(async () => {
    await store.close();
    folder.dispose();
  });

  const reopen = async (between = () => {}) => {
    await store.close();
    between();
    store = await open();
  };
  /** What `takeBack` does with the files. */
  const putBack = () => {
    const files = new DirectoryFragmentStore({ folder: folder.path, content: 'recipe' });
    return files.takeBack(tombstoneOf(name), name);
  };
  const isWholeAndCounts = async () => {
    await store.collect(EVERYTHING);
    expect((await readArchive(store, name)).equals(archiveOf(seeds))).toBe(true);
    await store.remove(grantOf(name), name);
    await store.emptyTrash(tombstoneOf(name));
    await store.collect(EVERYTHING);
    expect(containersOf(folder.path)).toEqual([]);
  };

  it('lets nothing be taken back until the volume is opened again', async () => {
    await expect(store.takeBack(tombstoneOf(name), name)).rejects.toBe(store.failure);
    expect(await store.stat(name)).toBeUndefined();
    await reopen();
    await store.collect(EVERYTHING);
    expect(containersOf(folder.path)).toEqual([]);
  });

  it('does not hold for a recipe that lies in its place by then', async () => {
    await putBack();
    await reopen();
    await isWholeAndCounts();
  });

  it('does not hold for it when the counts have to be made anew, either', async () => {
    await putBack();
    await reopen(() => rmSync(join(folder.path, 'chunks/index'), { recursive: true }));
    await reopen();
    await isWholeAndCounts();
  });
});
