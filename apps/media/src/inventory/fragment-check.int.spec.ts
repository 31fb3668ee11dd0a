import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { ChunkStore } from '#storage/chunks/chunk-store.js';
import {
  archiveOf,
  chunkOf,
  containersOf,
  damageFrames,
  framedManifest,
  send,
} from '#storage/testing/chunks.js';
import { fragmentName } from '#storage/testing/fragments.js';
import { testFolder, type TestFolder } from '#storage/testing/small-volume.js';
import { until } from '../../../../test/support/until.js';
import { checkFragment } from './fragment-check.js';
import type { Holding } from './holdings.js';

const FRAME_BYTES = 16_384;

describe('A check of a fragment that is made of chunks', () => {
  let folder: TestFolder;
  let store: ChunkStore;
  const name = fragmentName(1);
  const seeds = Array.from({ length: 60 }, (_, seed) => seed);
  const manifest = framedManifest(name, archiveOf(seeds), {
    frameBytes: FRAME_BYTES,
    index: Buffer.from('index'),
  });
  beforeEach(async () => {
    folder = testFolder();
    store = await ChunkStore.open({ folder: folder.path, reserveBytes: 0 });
    const session = store.session('web1');
    await send(session, seeds, 10);
    const writer = await session.begin(name, FRAME_BYTES);
    await writer.add(seeds.map(chunkOf));
    await writer.writeIndex([Buffer.from('index')]);
    await writer.seal(manifest);
    await session.end();
  });
  afterEach(async () => {
    await store.close();
    folder.dispose();
  });

  const answering = () => ({ store, requireAnswer: async () => undefined });
  const check = async (expected: { digest: string; indexDigest: string } = manifest) => {
    let told = 0;
    const holding = { volume: answering(), name, state: undefined } as unknown as Holding;
    const onBytes = (bytes: number) => void (told += bytes);
    return { ...(await checkFragment(holding, { expected, onBytes })), told };
  };
  const all = manifest.storedBytes + manifest.indexBytes;

  it('finds it whole, and tells of each byte once', async () => {
    expect(await check()).toEqual({ bytes: 'whole', reason: '', told: all });
  });

  it('says what is lost of it, and has that looked over', async () => {
    damageFrames(containersOf(folder.path)[0]!, 'first');
    const found = await check();
    expect(found).toMatchObject({ bytes: 'damaged', unreadable: true });
    expect(found.reason).toMatch(/needs a chunk that is lost/);
    // Nobody is told any more that it is here.
    const isKnown = async () => {
      const session = store.session('web1');
      const [known] = await session.ask([chunkOf(0).id]);
      await session.end();
      return known;
    };
    await until(isKnown, { is: (known) => known === false });
  });

  it('says so of data with another digest, which are read once more, and of such an index', async () => {
    const reason = 'its data has another digest than it should';
    const other = '0'.repeat(64);
    expect(await check({ ...manifest, digest: other })).toEqual({
      ...{ bytes: 'damaged', reason, told: manifest.storedBytes },
    });
    expect(await check({ ...manifest, indexDigest: other })).toMatchObject({
      reason: 'its index has another digest than it should',
    });
  });

  it('ends when it is told to', async () => {
    const holding = { volume: answering(), name, state: undefined } as unknown as Holding;
    const stopping = new AbortController();
    stopping.abort(new Error('stopped'));
    await expect(checkFragment(holding, { signal: stopping.signal })).rejects.toThrow('stopped');
  });
});
