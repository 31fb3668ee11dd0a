import { blake3 } from '#kernel/blake3.js';
import { describe, expect, it } from '@jest/globals';
import { InvalidInput } from '#kernel/errors.js';
import { IDS_PER_BATCH_MAX } from '../chunks/chunk-id.js';
import type { ChunkIndex, ContainerContent } from '../chunks/index/chunk-index.js';
import { ChunkMap, type Place } from '../chunks/index/chunk-map.js';

export interface IndexFixture {
  readonly index: ChunkIndex;
  /** The index again, as after a restart; the one before is of no more use. */
  reopen(): Promise<ChunkIndex>;
  dispose(): Promise<void>;
}

type Use = (test: (fixture: IndexFixture) => Promise<void>) => Promise<void>;

/** The id of a chunk that holds nothing but this number. */
export function idOf(seed: number): Buffer {
  return blake3(Buffer.from(`chunk ${seed}`));
}

function container(number: number, seeds: readonly number[], domain = 'web1'): ContainerContent {
  return { id: number.toString(16).padStart(16, '0'), domain, ids: seeds.map(idOf) };
}

function mapOf(...places: readonly (readonly [ContainerContent, number])[]): ChunkMap {
  const map = new ChunkMap();
  for (const [{ id }, ordinal] of places) map.add({ container: id, ordinal });
  return map;
}

async function countsOf(index: ChunkIndex, content: ContainerContent): Promise<number[]> {
  return [...((await index.counts(content.id)) ?? [])];
}

async function listed(from: AsyncIterable<string>): Promise<string[]> {
  const found: string[] = [];
  for await (const one of from) found.push(one);
  return found.sort();
}

/** Proves the laws of `ChunkIndex` for an adapter. */
export function describeChunkIndex(name: string, factory: () => Promise<IndexFixture>): void {
  const use: Use = async (test) => {
    const fixture = await factory();
    try {
      await test(fixture);
    } finally {
      await fixture.dispose();
    }
  };

  describe(`${name} keeps the laws of a chunk index: it`, () => {
    provesPlaces(use);
    provesCounts(use);
    provesReplacing(use);
    provesHealing(use);
  });
}

function provesPlaces(use: Use): void {
  it('finds what was added, in the order of the ids, after a restart too', () =>
    use(async ({ index, reopen }) => {
      const a = container(1, [1, 2, 3]);
      await index.add(a);
      const ids = [idOf(3), idOf(9), idOf(1)];
      const expected = [
        { container: a.id, ordinal: 2 },
        undefined,
        { container: a.id, ordinal: 0 },
      ];
      expect(await index.lookup('web1', ids)).toEqual(expected);
      expect(await (await reopen()).lookup('web1', ids)).toEqual(expected);
    }));

  it('knows a chunk in its own domain only', () =>
    use(async ({ index }) => {
      await index.add(container(1, [1], 'web1'));
      expect(await index.lookup('web2', [idOf(1)])).toEqual([undefined]);
      const second = container(2, [1], 'web2');
      await index.add(second);
      expect(await index.lookup('web2', [idOf(1)])).toEqual([{ container: second.id, ordinal: 0 }]);
    }));

  it('leaves a chunk where it was when it is added again', () =>
    use(async ({ index }) => {
      const a = container(1, [1, 2, 2]);
      await index.add(a);
      await index.add(container(2, [2, 3]));
      expect(await index.lookup('web1', [idOf(2)])).toEqual([{ container: a.id, ordinal: 1 }]);
      await index.change('f1', 'held', mapOf([a, 1]));
      await index.add(a);
      expect(await countsOf(index, a)).toEqual([0, 1, 0]);
    }));

  it('takes batches of the largest size, and no larger one', () =>
    use(async ({ index }) => {
      const seeds = Array.from({ length: IDS_PER_BATCH_MAX * 2 + 7 }, (_, seed) => seed);
      const a = container(1, seeds);
      await index.add(a);
      const places = await index.lookup('web1', a.ids.slice(IDS_PER_BATCH_MAX, -7));
      expect(places.map((place) => place!.ordinal)).toEqual(
        seeds.slice(IDS_PER_BATCH_MAX, IDS_PER_BATCH_MAX * 2),
      );
      expect(await index.lookup('web1', [])).toEqual([]);
      if (index.constructor.name.startsWith('Memory')) return;
      await expect(index.lookup('web1', a.ids)).rejects.toBeInstanceOf(InvalidInput);
      await expect(index.lookup('web1', [Buffer.alloc(31)])).rejects.toBeInstanceOf(InvalidInput);
    }));
}

function provesCounts(use: Use): void {
  it('counts a holder once, and lets it go once', () =>
    use(async ({ index, reopen }) => {
      const [a, b] = [container(1, [1, 2, 3]), container(2, [4])];
      await index.add(a);
      await index.add(b);
      const map = mapOf([a, 0], [a, 2], [b, 0], [a, 0]);
      await index.change('f1', 'held', map);
      await index.change('f1', 'held', map);
      await index.change('f2', 'held', mapOf([a, 2]));
      const again = await reopen();
      expect(await countsOf(again, a)).toEqual([1, 0, 2]);
      expect(await countsOf(again, b)).toEqual([1]);
      expect(await listed(again.holders())).toEqual(['f1', 'f2']);
      await again.change('f1', 'released', map);
      await again.change('f1', 'released', map);
      expect(await countsOf(again, a)).toEqual([0, 0, 1]);
      expect(await again.isHolder('f1')).toBe(false);
      expect(await again.isHolder('f2')).toBe(true);
    }));

  it('counts far', () =>
    use(async ({ index }) => {
      const a = container(1, [1, 2]);
      await index.add(a);
      for (let holder = 0; holder < 300; holder += 1) {
        await index.change(`f${holder}`, 'held', mapOf([a, 1]));
      }
      expect(await countsOf(index, a)).toEqual([0, 300]);
      for (let holder = 0; holder < 299; holder += 1) {
        await index.change(`f${holder}`, 'released', mapOf([a, 1]));
      }
      expect(await countsOf(index, a)).toEqual([0, 1]);
    }));

  it('changes nothing at all where a change is wrong', () =>
    use(async ({ index }) => {
      const a = container(1, [1, 2]);
      await index.add(a);
      await index.change('f1', 'held', mapOf([a, 0]));
      const wrong = (map: ChunkMap) => index.change('f2', 'held', map);
      await expect(wrong(mapOf([a, 1], [container(9, []), 0]))).rejects.toThrow(/not in the index/);
      await expect(wrong(mapOf([a, 1], [a, 2]))).rejects.toThrow(/no chunk 2/);
      const release = index.change('f1', 'released', mapOf([a, 0], [a, 1]));
      await expect(release).rejects.toThrow(/once too often/);
      expect(await countsOf(index, a)).toEqual([1, 0]);
      expect(await listed(index.holders())).toEqual(['f1']);
    }));
}

function provesHealing(use: Use): void {
  it('moves a chunk that is lost where it lay into the container that brings it, with its counts', () =>
    use(async ({ index, reopen }) => {
      const old = container(1, [1, 2, 3]);
      await index.add(old);
      await index.change('f1', 'held', mapOf([old, 0], [old, 1], [old, 2]));
      await index.change('f2', 'held', mapOf([old, 1]));
      const fresh = container(2, [4, 2, 3, 2]);
      const lost = ({ container: id, ordinal }: Place) => id === old.id && ordinal === 1;
      const moved = { container: fresh.id, ordinal: 1 };
      expect(await index.add(fresh, lost)).toEqual({
        places: [
          { container: fresh.id, ordinal: 0 },
          moved,
          { container: old.id, ordinal: 2 },
          moved,
        ],
        moves: [{ from: { container: old.id, ordinal: 1 }, to: moved }],
      });
      const after = await reopen();
      expect(await after.lookup('web1', [1, 2, 3, 4].map(idOf))).toEqual([
        { container: old.id, ordinal: 0 },
        { container: fresh.id, ordinal: 1 },
        { container: old.id, ordinal: 2 },
        { container: fresh.id, ordinal: 0 },
      ]);
      expect(await countsOf(after, old)).toEqual([1, 0, 1]);
      expect(await countsOf(after, fresh)).toEqual([0, 2, 0, 0]);
      await after.change('f1', 'released', mapOf([old, 0], [fresh, 1], [old, 2]));
      expect(await countsOf(after, fresh)).toEqual([0, 1, 0, 0]);
      expect(await after.add(fresh, lost)).toBeUndefined();
    }));
}

function provesReplacing(use: Use): void {
  it('moves what lives, with its counts, and forgets what does not', () =>
    use(async ({ index, reopen }) => {
      const [a, b] = [container(1, [1, 2, 3]), container(2, [4, 5])];
      await index.add(a);
      await index.add(b);
      await index.change('f1', 'held', mapOf([a, 1], [b, 0]));
      const c = { ...container(3, [2, 4]), counts: Uint32Array.of(1, 1) };
      await index.replace([a, b], [c]);
      const again = await reopen();
      expect(await again.lookup('web1', [1, 2, 3, 4, 5].map(idOf))).toEqual([
        undefined,
        { container: c.id, ordinal: 0 },
        undefined,
        { container: c.id, ordinal: 1 },
        undefined,
      ]);
      expect(await listed(again.containers())).toEqual([c.id]);
      expect(await countsOf(again, c)).toEqual([1, 1]);
      await again.change('f1', 'released', mapOf([c, 0], [c, 1]));
      expect(await countsOf(again, c)).toEqual([0, 0]);
    }));

  it('leaves entries alone that lead elsewhere', () =>
    use(async ({ index }) => {
      const [a, b] = [container(1, [1, 2]), container(2, [2, 3])];
      await index.add(a);
      await index.add(b);
      await index.replace([b], []);
      expect(await index.lookup('web1', [idOf(2), idOf(3)])).toEqual([
        { container: a.id, ordinal: 1 },
        undefined,
      ]);
      await index.add(b);
      await index.replace([a], [{ ...container(4, [1]), counts: Uint32Array.of(0) }]);
      expect(await index.lookup('web1', [idOf(2)])).toEqual([undefined]);
      await index.replace([], [{ ...container(5, [1]), counts: Uint32Array.of(0) }]);
      expect(await index.lookup('web1', [idOf(1)])).toEqual([
        { container: container(4, []).id, ordinal: 0 },
      ]);
    }));
}
