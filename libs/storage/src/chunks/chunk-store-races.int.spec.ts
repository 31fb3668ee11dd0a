import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { until } from '../../../../test/support/until.js';
import {
  archiveOf,
  chunkOf,
  containersOf,
  damageFrames,
  frameOf,
  grantOf,
  readArchive,
  readThrough,
  sealAlone,
  sealIn,
  tombstoneOf,
} from '../testing/chunks.js';
import { fragmentName, manifestOf } from '../testing/fragments.js';
import { ShakyIndex } from '../testing/shaky-index.js';
import { testFolder, type TestFolder } from '../testing/small-volume.js';
import { ChunkStore } from './chunk-store.js';
import { levelHome } from './index/index-home.js';

const COPIED = 'collect: what lives is durable elsewhere, the index does not know it';
const CHANGED = 'collect: the index has changed over, the old files are there';

describe('A collection of chunks that others come into', () => {
  let folder: TestFolder;
  let store: ChunkStore;
  /** What is done, once, at a step. */
  const interrupts = new Map<string, () => Promise<void>>();
  const at = (step: string) => {
    const work = interrupts.get(step);
    interrupts.delete(step);
    return work?.() ?? Promise.resolve();
  };
  /** What a look-up waits for before its answer arrives. */
  let answers: Promise<void> | undefined;
  /** Look-ups that have found what they were for, waiting or not. */
  let found = 0;

  beforeEach(async () => {
    folder = testFolder();
    const home = levelHome(join(folder.path, 'chunks', 'index'));
    const pause = async () => {
      found += 1;
      return answers;
    };
    const index = {
      open: async () => new ShakyIndex(await home.open(), at, pause),
      putAside: () => home.putAside(),
    };
    store = await ChunkStore.open({ folder: folder.path, reserveBytes: 0, index, between: at });
    // Chunk 2 is dead, 1 and 3 live, all in one container.
    await sealAlone(store, fragmentName(1), [1, 2, 3]);
    await sealAlone(store, fragmentName(2), [1, 3]);
    await store.remove(grantOf(fragmentName(1)), fragmentName(1));
    await store.emptyTrash(tombstoneOf(fragmentName(1)));
  });
  afterEach(async () => {
    interrupts.clear();
    answers = undefined;
    await store.close();
    folder.dispose();
  });

  const collect = () => store.collect({ deadShareMin: 0 });
  const ids = (...seeds: number[]) => seeds.map((seed) => chunkOf(seed).id);
  const reads = async (number: number, seeds: readonly number[]) => {
    const archive = await readArchive(store, fragmentName(number));
    expect(archive.equals(archiveOf(seeds))).toBe(true);
  };

  it('keeps a dead chunk that a session is told of while the others are copied', async () => {
    const session = store.session('web1');
    interrupts.set(COPIED, async () => {
      expect(await session.ask(ids(2))).toEqual([true]);
    });
    expect(await collect()).toMatchObject({ gone: 0 });
    await reads(2, [1, 3]);
    await sealIn(session, fragmentName(3), [2]);
    await session.end();
    await collect();
    await reads(2, [1, 3]);
    await reads(3, [2]);
  });

  it('keeps a dead chunk that a session writes again while the others are copied', async () => {
    interrupts.set(COPIED, async () => {
      const session = store.session('web1');
      // It does not ask: what it sends lies here twice, and the first one is what counts.
      await session.add(await frameOf([2]));
      await sealIn(session, fragmentName(3), [2]);
      await session.end();
    });
    await collect();
    await reads(3, [2]);
    await collect();
    await reads(2, [1, 3]);
    await reads(3, [2]);
  });

  it.each([
    ['before', 'before replace'],
    ['behind', 'behind replace'],
  ])(
    'makes a session wait that asks %s the change-over, and tells it the truth',
    async (_, step) => {
      const session = store.session('web1');
      let answer: Promise<boolean[]> | undefined;
      interrupts.set(step, async () => {
        answer = session.ask(ids(1, 2));
        await new Promise((resolve) => setTimeout(resolve, 50));
      });
      expect(await collect()).toMatchObject({ gone: 1 });
      expect(await answer).toEqual([true, false]);
      await sealIn(session, fragmentName(3), [1, 2]);
      await session.end();
      await collect();
      await reads(3, [1, 2]);
    },
  );

  it('is not believed by a session whose answer comes from before the change-over', async () => {
    const session = store.session('web1');
    let answer: Promise<boolean[]> | undefined;
    let arrive = () => {};
    interrupts.set(COPIED, async () => {
      answers = new Promise((resolve) => (arrive = resolve));
      const before = found;
      answer = session.ask(ids(1, 2));
      await until(() => found > before, { what: 'the look-up' });
      answers = undefined;
    });
    interrupts.set(CHANGED, async () => {
      arrive();
      expect(await answer).toEqual([true, false]);
    });
    expect(await collect()).toMatchObject({ gone: 1 });
    await sealIn(session, fragmentName(3), [1, 2]);
    await session.end();
    await collect();
    await reads(3, [1, 2]);
  });

  it('lets a recipe be sealed whose chunks move while it is', async () => {
    const session = store.session('web1');
    let collecting: Promise<unknown> | undefined;
    interrupts.set('seal: the recipe is durable, nothing counts it', async () => {
      collecting = collect();
      await collecting;
    });
    await sealIn(session, fragmentName(3), [3, 2, 1]);
    await session.end();
    await collecting;
    await collect();
    await reads(3, [3, 2, 1]);
    await reads(2, [1, 3]);
  });

  it('lets a trash be emptied whose chunks move while it is', async () => {
    await store.remove(grantOf(fragmentName(2)), fragmentName(2));
    interrupts.set('release: the ledger has it, the index not yet', async () => {
      await collect();
    });
    await store.emptyTrash(tombstoneOf(fragmentName(2)));
    await collect();
    for await (const { container } of store.verify()) expect(container).toBe('none');
  });

  it('lets a reader read on that looked its chunks up before', async () => {
    const reader = await store.open(fragmentName(2));
    interrupts.set(COPIED, async () => {
      await reader.read('data', 0, 1);
    });
    expect(await collect()).toMatchObject({ gone: 1 });
    expect((await readThrough(reader)).equals(archiveOf([1, 3]))).toBe(true);
    await reader.close();
  });

  it('does not find a chunk where it was lost, when its answer comes behind what has healed it', async () => {
    const [path] = containersOf(folder.path);
    const whole = readFileSync(path!);
    damageFrames(path!);
    await expect(readArchive(store, fragmentName(2))).rejects.toThrow(/is lost/);
    const isUnknown = async () => !(await asks(1, 3)).some(Boolean);
    await until(isUnknown, { what: 'the container to be looked over' });
    const slow = store.session('web1');
    const name = fragmentName(4);
    const writer = await slow.beginPlain(name);
    await writer.add([1, 3].map(chunkOf));
    let answer = () => {};
    answers = new Promise((resolve) => (answer = resolve));
    const data = archiveOf([1, 3]);
    const before = found;
    const sealing = writer.seal(manifestOf(name, { data, index: Buffer.alloc(0) }));
    // By then it knows where its chunks are, or thinks so; those who come now are not held up.
    await until(() => found > before, { what: 'the look-up' });
    answers = undefined;
    await sealAlone(store, fragmentName(3), [1, 3]);
    answer();
    await sealing;
    await slow.end();
    for (const name of [2, 3, 4].map((number) => fragmentName(number))) {
      expect((await readArchive(store, name)).length).toBeGreaterThan(0);
    }
    for (const name of [2, 3, 4].map((number) => fragmentName(number))) {
      await store.remove(grantOf(name), name);
      await store.emptyTrash(tombstoneOf(name));
    }
    writeFileSync(path!, whole);
    await collect();
    expect(containersOf(folder.path)).toEqual([]);
  });

  const asks = async (...seeds: number[]) => {
    const session = store.session('web1');
    const there = await session.ask(ids(...seeds));
    await session.end();
    return there;
  };
});
