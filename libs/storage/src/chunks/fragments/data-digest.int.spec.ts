import { randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { blake3 } from '@napi-rs/blake-hash';
import { rawFrame } from '#archive/frames/raw-frame.js';
import { compress } from '#archive/frames/zstd.js';
import type { FragmentName } from '../../fragment-name.js';
import {
  chunkOf,
  containersOf,
  framedData,
  framedManifest,
  frameOf,
  grantOf,
  readThrough,
  sealAlone,
  tombstoneOf,
} from '../../testing/chunks.js';
import { fragmentName, patternBytes, write } from '../../testing/fragments.js';
import { testFolder, type TestFolder } from '../../testing/small-volume.js';
import { ChunkStore } from '../chunk-store.js';

const FRAME_BYTES = 150_000;
const nobody = () => undefined;

describe('The digest of data that chunks make', () => {
  let folder: TestFolder;
  let store: ChunkStore;
  beforeEach(async () => {
    folder = testFolder();
    store = await ChunkStore.open({ folder: folder.path, reserveBytes: 0 });
  });
  afterEach(async () => {
    await store.close();
    folder.dispose();
  });

  const index = Buffer.from('index');
  const entryOf = (bytes: Buffer) => ({ id: blake3(bytes), length: bytes.length });

  /** Each inner list is a frame: raw where `isRaw` says so. Then a fragment that names them in some order. */
  const seal = async (
    name: FragmentName,
    frames: readonly (readonly Buffer[])[],
    order: readonly Buffer[],
    isRaw: (nth: number) => boolean = () => false,
  ) => {
    const session = store.session('web1');
    for (const [nth, chunks] of frames.entries()) {
      const bytes = Buffer.concat(chunks);
      const stored = isRaw(nth) ? rawFrame(bytes) : await compress(bytes, 3);
      await session.add({ stored, chunks: chunks.map(entryOf) });
    }
    const writer = await session.begin(name, FRAME_BYTES);
    await writer.add(order.map(entryOf));
    await writer.writeIndex([index]);
    await writer.seal(
      framedManifest(name, Buffer.concat(order), { frameBytes: FRAME_BYTES, index }),
    );
    await session.end();
  };
  const digestOf = async (name: FragmentName, onBytes: (bytes: number) => void = nobody) => {
    const reader = await store.open(name);
    try {
      return await reader.digestData(onBytes);
    } finally {
      await reader.close();
    }
  };
  const expected = (order: readonly Buffer[]) =>
    blake3(framedData(Buffer.concat(order), FRAME_BYTES)).toString('hex');

  const small = Array.from({ length: 300 }, (_, seed) => chunkOf(seed).bytes);
  const large = [900_000, 1_500_000, 600_000, 131_072, 1].map((length) => randomBytes(length));

  it('is that of frames of all kinds, in any order, also twice and in part', async () => {
    const frames = [small.slice(0, 100), [large[0]!], [large[1]!], small.slice(100, 101)];
    frames.push([large[2]!, large[3]!], small.slice(101, 300), [large[4]!]);
    const all = frames.flat();
    const orders = [all, [...all].reverse(), [...all, ...all], all.filter((_, nth) => nth % 3 > 0)];
    orders.push([large[4]!], [large[1]!, large[1]!, small[7]!, large[1]!]);
    await seal(fragmentName(99), frames, all, (nth) => nth !== 0 && nth !== 5);
    for (const [nth, order] of orders.entries()) {
      await seal(fragmentName(nth + 1), [], order);
      let bytes = 0;
      expect(await digestOf(fragmentName(nth + 1), (some) => (bytes += some))).toBe(
        expected(order),
      );
      expect(bytes).toBe(framedData(Buffer.concat(order), FRAME_BYTES).length);
    }
  });

  it('is that of nothing, and of data that came as bytes', async () => {
    await seal(fragmentName(1), [], []);
    expect(await digestOf(fragmentName(1))).toBe(expected([]));
    const data = patternBytes(2_500_000);
    await write(store, fragmentName(2), { data, index });
    expect(await digestOf(fragmentName(2))).toBe(blake3(data).toString('hex'));
  });

  it('is that of chunks in more containers than are open at once, before and behind a collection', async () => {
    const seeds = Array.from({ length: 40 }, (_, seed) => seed);
    for (const seed of seeds) {
      const dead = fragmentName(100 + seed);
      await sealAlone(store, dead, [seed, 500 + seed]);
    }
    const order = [...seeds, ...seeds].map((seed) => chunkOf(seed).bytes);
    await seal(fragmentName(1), [], order);
    expect(containersOf(folder.path)).toHaveLength(40);
    expect(await digestOf(fragmentName(1))).toBe(expected(order));
    for (const seed of seeds) {
      const dead = fragmentName(100 + seed);
      await store.remove(grantOf(dead), dead);
      await store.emptyTrash(tombstoneOf(dead));
    }
    const reader = await store.open(fragmentName(1));
    await reader.read('data', 0, 100);
    await store.collect({ deadShareMin: 0 });
    expect(containersOf(folder.path)).toHaveLength(1);
    const digest = await reader.digestData(nobody);
    // What it had looked up is gone: whoever reads looks again.
    expect(digest ?? expected(order)).toBe(expected(order));
    expect(blake3(await readThrough(reader)).toString('hex')).toBe(expected(order));
    await reader.close();
    expect(await digestOf(fragmentName(1))).toBe(expected(order));
  });

  it('is never that of what should be there where a byte is another one', async () => {
    const frames = [small.slice(0, 20), [patternBytes(3_000)], small.slice(20, 30)];
    const order = frames.flat();
    await seal(fragmentName(1), frames, order, (nth) => nth === 1);
    const [path] = containersOf(folder.path);
    const whole = readFileSync(path!);
    const bad = Buffer.from(whole);
    let found = 0;
    for (let at = 0; at < whole.length; at += 1) {
      bad[at]! ^= 1 << (at % 8);
      writeFileSync(path!, bad);
      // A bit that means nothing to Zstandard changes no data.
      if ((await digestOf(fragmentName(1))) !== expected(order)) found += 1;
      bad[at] = whole[at]!;
    }
    expect(found).toBeGreaterThan(whole.length - 40);
    writeFileSync(path!, whole.subarray(0, whole.length - 1));
    expect(await digestOf(fragmentName(1))).toBeUndefined();
    writeFileSync(path!, whole);
    expect(await digestOf(fragmentName(1))).toBe(expected(order));
  });

  it('is another one where a chunk is not what its id says, as the one who reads it hears', async () => {
    const session = store.session('web1');
    const wrong = Buffer.alloc(chunkOf(1).length, 'x');
    await session.add({ stored: await compress(wrong, 3), chunks: [chunkOf(1)] });
    await session.add(await frameOf([2, 3]));
    const order = [1, 2, 3].map((seed) => chunkOf(seed).bytes);
    const writer = await session.begin(fragmentName(1), FRAME_BYTES);
    await writer.add([1, 2, 3].map(chunkOf));
    await writer.seal(
      framedManifest(fragmentName(1), Buffer.concat(order), {
        frameBytes: FRAME_BYTES,
        index: Buffer.alloc(0),
      }),
    );
    await session.end();
    expect(await digestOf(fragmentName(1))).not.toBe(expected(order));
    const reader = await store.open(fragmentName(1));
    await expect(readThrough(reader)).rejects.toThrow(/not what its id says/);
    await reader.close();
  });

  it('ends with what its listener throws, and the fragment can be read on', async () => {
    await seal(fragmentName(1), [[large[1]!]], [large[1]!, large[1]!]);
    const reader = await store.open(fragmentName(1));
    const stop = () => {
      throw new Error('that is enough');
    };
    await expect(reader.digestData(stop)).rejects.toThrow('that is enough');
    expect(await reader.digestData(nobody)).toBe(expected([large[1]!, large[1]!]));
    await reader.close();
  });
});
