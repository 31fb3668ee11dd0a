import { describe, expect, it } from '@jest/globals';
import { InvalidInput } from '#kernel/errors.js';
import { confirmGrant, type ConfirmedGrant } from '../confirmed-grant.js';
import { FragmentUnreadable, VolumeFull } from '../errors.js';
import type { FragmentName } from '../fragment-name.js';
import {
  READ_BYTES_MAX,
  type FragmentObject,
  type FragmentStore,
  type SealedFragmentReader,
  type StoredFragment,
  type TrashedFragment,
} from '../fragment-store.js';
import { fragmentName, manifestOf, patternBytes } from './fragments.js';

/** A fresh, empty volume for one test. */
export interface StoreFixture {
  readonly store: FragmentStore;
  /** Another adapter on the same volume, as after a restart; the same one if it cannot be left. */
  reopen(): FragmentStore;
  dispose(): Promise<void>;
}

export interface StoreFactory {
  /** @param freeBytes About how much may be written; plenty if left out. */
  (options?: { freeBytes?: number }): Promise<StoreFixture>;
}

type Use = (test: (fixture: StoreFixture) => Promise<void>, freeBytes?: number) => Promise<void>;

/** Proves the laws of `FragmentStore` for an adapter. */
export function describeFragmentStore(name: string, factory: StoreFactory): void {
  const use: Use = async (test: (fixture: StoreFixture) => Promise<void>, freeBytes?: number) => {
    const fixture = await factory(freeBytes === undefined ? {} : { freeBytes });
    try {
      await test(fixture);
    } finally {
      await fixture.dispose();
    }
  };

  describe(`${name} keeps the laws of a fragment store`, () => {
    describe('for content: it', () => provesContent(use));
    describe('for what is unfinished: it', () => provesVisibility(use));
    describe('for names: it', () => provesNames(use));
    describe('for copies: it', () => provesCopies(use));
    describe('for removal: it', () => provesRemoval(use));
    describe('for the trash: it', () => provesReturn(use));
    describe('for misuse and limits: it', () => provesLimits(use));
  });
}

function provesContent(use: Use): void {
  it('gives back exactly what was written, in any ranges', () =>
    use(async ({ store, reopen }) => {
      const content = { data: patternBytes(2_500_000), index: patternBytes(70_000, 9) };
      const fragment = fragmentName(1);
      await write(store, fragment, content);
      const reader = await reopen().open(fragment);
      expect(reader.size('data')).toBe(content.data.length);
      expect(reader.size('index')).toBe(content.index.length);
      expect(reader.manifest).toEqual(manifestOf(fragment, content));
      for (const [offset, length] of [
        [0, 1],
        [1_000_003, READ_BYTES_MAX],
        [2_499_999, 1],
        [2_500_000, 0],
      ] as const) {
        const expected = content.data.subarray(offset, offset + length);
        expect((await reader.read('data', offset, length)).equals(expected)).toBe(true);
      }
      expect((await reader.read('index', 0, 70_000)).equals(content.index)).toBe(true);
      await reader.close();
    }));

  it('refuses reads beyond the end, and of what is not there', () =>
    use(async ({ store }) => {
      const content = { data: patternBytes(10), index: patternBytes(5) };
      await write(store, fragmentName(1), content);
      const reader = await store.open(fragmentName(1));
      await expect(reader.read('data', 5, 6)).rejects.toBeInstanceOf(FragmentUnreadable);
      await expect(reader.read('index', 6, 0)).rejects.toMatchObject({ status: 85 });
      await reader.close();
      await expect(store.open(fragmentName(7))).rejects.toBeInstanceOf(FragmentUnreadable);
    }));
}

function provesVisibility(use: Use): void {
  it('shows a fragment from its seal on, not before', () =>
    use(async ({ store, reopen }) => {
      const fragment = fragmentName(1);
      expect(await store.stat(fragment)).toBeUndefined();
      const writer = await store.create(fragment);
      const content = { data: patternBytes(10), index: patternBytes(5) };
      await writer.writeData([content.data]);
      await writer.writeIndex([content.index]);
      expect(await reopen().stat(fragment)).toMatchObject({ state: 'partial', dataBytes: 10 });
      await expect(store.open(fragment)).rejects.toBeInstanceOf(FragmentUnreadable);
      await writer.seal(manifestOf(fragment, content));
      expect(await reopen().stat(fragment)).toMatchObject({ state: 'sealed' });
      await reopen().settle(fragment);
      await reopen().settle(fragmentName(2));
      expect(await reopen().stat(fragment)).toMatchObject({ state: 'sealed' });
      expect(await reopen().stat(fragmentName(2))).toBeUndefined();
    }));

  it('leaves what was abandoned where it is, as partial', () =>
    use(async ({ store, reopen }) => {
      const writer = await store.create(fragmentName(1));
      await writer.writeData([patternBytes(1_000)]);
      await writer.abandon();
      await writer.abandon();
      expect(await all(reopen())).toMatchObject([{ state: 'partial', dataBytes: 1_000 }]);
    }));

  it('leaves out of a listing what is known', () =>
    use(async ({ store }) => {
      const content = { data: patternBytes(10), index: patternBytes(5) };
      for (const seed of [1, 2, 3]) await write(store, fragmentName(seed), content);
      const found: StoredFragment[] = [];
      const known = (fragmentId: string) => fragmentId !== fragmentName(2).fragmentId;
      for await (const fragment of store.list(known)) found.push(fragment);
      expect(found.map(({ name }) => name)).toEqual([fragmentName(2)]);
    }));

  it('lists fragments by image, copy and number', () =>
    use(async ({ store, reopen }) => {
      const names = [
        fragmentName(1),
        fragmentName(2),
        fragmentName(10),
        fragmentName(3, { copy: 2 }),
        fragmentName(4, { copy: 10 }),
        fragmentName(5, { imageId: 'web2_1790000000' }),
      ];
      const content = { data: patternBytes(10), index: patternBytes(5) };
      for (const fragment of [...names].reverse()) await write(store, fragment, content);
      expect((await all(reopen())).map((found) => found.name)).toEqual(names);
    }));
}

function provesNames(use: Use): void {
  it('refuses an id that is there already, sealed or not, and leaves it alone', () =>
    use(async ({ store }) => {
      const content = { data: patternBytes(10), index: patternBytes(5) };
      await write(store, fragmentName(1), content);
      await (await store.create(fragmentName(2))).abandon();
      await expect(store.create(fragmentName(1))).rejects.toThrow(/there already/);
      await expect(store.create(fragmentName(2))).rejects.toThrow(/there already/);
      const reader = await store.open(fragmentName(1));
      expect((await reader.read('data', 0, 10)).equals(content.data)).toBe(true);
      await reader.close();
    }));

  it.each([
    ['imageId', { imageId: '../etc' }],
    ['imageId', { imageId: '..' }],
    ['imageId', { imageId: 'a/b' }],
    ['imageId', { imageId: '' }],
    ['copy', { copy: 0 }],
    ['copy', { copy: 11 }],
    ['number', { number: 1.5 }],
    ['number', { number: 100_000 }],
    ['fragmentId', { fragmentId: '../../x' }],
    ['fragmentId', { fragmentId: '01920000-0000-7000-8000-00000000000A' }],
  ])('refuses a name with a bad %s: %j', (field, over) =>
    use(async ({ store }) => {
      const fragment = fragmentName(1, over);
      await expect(store.create(fragment)).rejects.toMatchObject({ field });
      await expect(store.open(fragment)).rejects.toBeInstanceOf(InvalidInput);
      await expect(store.stat(fragment)).rejects.toBeInstanceOf(InvalidInput);
    }),
  );
}

function provesCopies(use: Use): void {
  const content = { data: patternBytes(2_500_000), index: patternBytes(70_000, 9) };

  it('copies a fragment with every byte, and leaves the source as it was', () =>
    use(async ({ store, reopen }) => {
      const copy = fragmentName(2, { copy: 2, number: 1 });
      await write(store, fragmentName(1), content);
      const source = await store.open(fragmentName(1));
      const writer = await store.create(copy);
      await writer.copyFrom(source);
      expect([writer.dataBytes, writer.indexBytes]).toEqual([2_500_000, 70_000]);
      await writer.seal(manifestOf(copy, content));
      for (const name of [copy, fragmentName(1)]) {
        const reader = await reopen().open(name);
        const data = await reader.read('data', 2_000_000, 500_000);
        expect(data.equals(content.data.subarray(2_000_000))).toBe(true);
        expect((await reader.read('index', 0, 70_000)).equals(content.index)).toBe(true);
        await reader.close();
      }
      await source.close();
    }));

  it('copies from what is no file of its own', () =>
    use(async ({ store }) => {
      const elsewhere = new MemorySource(manifestOf(fragmentName(1), content), content);
      const writer = await store.create(fragmentName(2));
      await writer.copyFrom(elsewhere);
      await writer.seal(manifestOf(fragmentName(2), content));
      expect(await store.stat(fragmentName(2))).toMatchObject({ state: 'sealed' });
    }));

  it.each(['data', 'index'] as const)('refuses a source whose %s has changed', (object) =>
    use(async ({ store }) => {
      const changed = { ...content, [object]: patternBytes(content[object].length, 77) };
      const source = new MemorySource(manifestOf(fragmentName(1), content), changed);
      const writer = await store.create(fragmentName(2));
      await expect(writer.copyFrom(source)).rejects.toMatchObject({ status: 1057 });
      await expect(writer.writeData([patternBytes(1)])).rejects.toMatchObject({ status: 1057 });
      await writer.abandon();
      expect((await store.stat(fragmentName(2)))?.state).not.toBe('sealed');
    }),
  );

  it('says VolumeFull when there is no room for a copy', () =>
    use(async ({ store }) => {
      const large = { data: patternBytes(1_500_000), index: patternBytes(5) };
      const source = new MemorySource(manifestOf(fragmentName(9), large), large);
      for (const seed of [1, 2]) {
        const writer = await store.create(fragmentName(seed));
        const copying = writer.copyFrom(source);
        if (seed === 2) await expect(copying).rejects.toBeInstanceOf(VolumeFull);
        else await copying;
        await writer.abandon();
      }
    }, 2_000_000));
}

/** A source in memory that need not be what its manifest says. */
class MemorySource implements SealedFragmentReader {
  constructor(
    readonly manifest: SealedFragmentReader['manifest'],
    private readonly content: Record<FragmentObject, Buffer>,
  ) {}

  size(object: FragmentObject): number {
    return this.content[object].length;
  }

  async read(object: FragmentObject, offset: number, length: number): Promise<Buffer> {
    return this.content[object].subarray(offset, offset + length);
  }

  async close(): Promise<void> {}
}

const TOMBSTONE_ID = '01920000-0000-7000-8000-0000000000aa';

function grantFor(name: FragmentName, tombstoneId = TOMBSTONE_ID): ConfirmedGrant {
  return confirmGrant({ fragmentId: name.fragmentId, tombstoneId }, { confirmed: true })!;
}

function provesRemoval(use: Use): void {
  const content = { data: patternBytes(1_000), index: patternBytes(50) };

  it('puts a fragment aside with its grant, and no other', () =>
    use(async ({ store, reopen }) => {
      await write(store, fragmentName(1), content);
      await write(store, fragmentName(2), content);
      const reader = await store.open(fragmentName(1));
      await store.remove(grantFor(fragmentName(1)), fragmentName(1));
      expect(await reopen().stat(fragmentName(1))).toBeUndefined();
      await expect(store.open(fragmentName(1))).rejects.toBeInstanceOf(FragmentUnreadable);
      expect((await all(reopen())).map(({ name }) => name)).toEqual([fragmentName(2)]);
      const [trashed, ...others] = await trashOf(reopen());
      const { fragmentId } = fragmentName(1);
      expect(trashed).toMatchObject({ tombstoneId: TOMBSTONE_ID, fragmentId, number: 1 });
      expect(trashed!.manifest).toEqual(manifestOf(fragmentName(1), content));
      expect(others).toEqual([]);
      // Whoever had it open before reads on.
      expect((await reader.read('data', 0, 1_000)).equals(content.data)).toBe(true);
      await reader.close();
    }));

  it('refuses a grant for another fragment', () =>
    use(async ({ store }) => {
      await write(store, fragmentName(1), content);
      const other = grantFor(fragmentName(2));
      await expect(store.remove(other, fragmentName(1))).rejects.toThrow(/another fragment/);
      expect(await store.stat(fragmentName(1))).toMatchObject({ state: 'sealed' });
    }));
}

function provesReturn(use: Use): void {
  const content = { data: patternBytes(1_000), index: patternBytes(50) };

  it('brings back what was put aside, as it was', () =>
    use(async ({ store, reopen }) => {
      await write(store, fragmentName(1), content);
      await store.remove(grantFor(fragmentName(1)), fragmentName(1));
      await store.remove(grantFor(fragmentName(1)), fragmentName(1));
      await store.takeBack(TOMBSTONE_ID, fragmentName(1));
      await store.takeBack(TOMBSTONE_ID, fragmentName(1));
      expect(await trashOf(store)).toEqual([]);
      const reader = await reopen().open(fragmentName(1));
      expect((await reader.read('data', 0, 1_000)).equals(content.data)).toBe(true);
      expect((await reader.read('index', 0, 50)).equals(content.index)).toBe(true);
      await reader.close();
    }));

  it('empties the trash of one tombstone', () =>
    use(async ({ store, reopen }) => {
      const second = '01920000-0000-7000-8000-0000000000bb';
      await write(store, fragmentName(1), content);
      await write(store, fragmentName(2), content);
      await store.remove(grantFor(fragmentName(1)), fragmentName(1));
      await store.remove(grantFor(fragmentName(2), second), fragmentName(2));
      await store.emptyTrash(TOMBSTONE_ID);
      await store.emptyTrash(TOMBSTONE_ID);
      expect((await trashOf(reopen())).map((one) => one.tombstoneId)).toEqual([second]);
      expect(await trashOf(reopen(), second)).toHaveLength(1);
      expect(await trashOf(reopen(), TOMBSTONE_ID)).toEqual([]);
      await store.takeBack(TOMBSTONE_ID, fragmentName(1));
      expect(await store.stat(fragmentName(1))).toBeUndefined();
    }));

  it('has nothing to do where nothing is, and leaves what is unfinished alone', () =>
    use(async ({ store, reopen }) => {
      const writer = await store.create(fragmentName(1));
      await writer.writeData([patternBytes(10)]);
      await writer.abandon();
      await store.remove(grantFor(fragmentName(1)), fragmentName(1));
      await store.remove(grantFor(fragmentName(2)), fragmentName(2));
      expect(await all(reopen())).toMatchObject([{ state: 'partial', dataBytes: 10 }]);
      expect(await trashOf(store)).toEqual([]);
    }));
}

function provesLimits(use: Use): void {
  it('does not seal with a manifest that is of something else', () =>
    use(async ({ store }) => {
      const writer = await store.create(fragmentName(1));
      const content = { data: patternBytes(10), index: patternBytes(5) };
      await writer.writeData([content.data]);
      const seal = async () => writer.seal(manifestOf(fragmentName(1), content));
      await expect(seal()).rejects.toThrow(/indexBytes/);
      await writer.writeIndex([content.index]);
      const other = async () => writer.seal(manifestOf(fragmentName(2), content));
      await expect(other()).rejects.toThrow(/another fragment/);
      await seal();
      expect(await store.stat(fragmentName(1))).toMatchObject({ state: 'sealed' });
    }));

  it('says VolumeFull when there is no room, and keeps what was sealed', () =>
    use(async ({ store, reopen }) => {
      const content = { data: patternBytes(300_000), index: patternBytes(5) };
      await write(store, fragmentName(1), content);
      const writer = await store.create(fragmentName(2));
      const fill = async () => {
        for (let mib = 0; mib < 64; mib += 1) await writer.writeData([patternBytes(1_048_576)]);
      };
      await expect(fill()).rejects.toBeInstanceOf(VolumeFull);
      await expect(writer.writeData([patternBytes(1)])).rejects.toBeInstanceOf(VolumeFull);
      await expect(writer.writeIndex([patternBytes(1)])).rejects.toMatchObject({ status: 129 });
      await writer.abandon();
      const found = await all(reopen());
      expect(found.map(({ state }) => state)).toEqual(['sealed', 'partial']);
      const reader = await reopen().open(fragmentName(1));
      expect((await reader.read('data', 0, 300_000)).equals(content.data)).toBe(true);
      await reader.close();
    }, 2_000_000));

  it('says how much may still be written', () =>
    use(async ({ store }) => {
      const before = await store.freeBytes();
      expect(before).toBeGreaterThan(1_000_000);
      expect(before).toBeLessThan(4_000_000);
      await write(store, fragmentName(1), {
        data: patternBytes(500_000),
        index: patternBytes(1),
      });
      expect(await store.freeBytes()).toBeLessThanOrEqual(before - 500_000);
    }, 2_000_000));
}

async function write(
  store: FragmentStore,
  name: FragmentName,
  content: { data: Buffer; index: Buffer },
): Promise<void> {
  const writer = await store.create(name);
  const half = Math.floor(content.data.length / 2);
  await writer.writeData([content.data.subarray(0, half), content.data.subarray(half)]);
  await writer.writeIndex([content.index]);
  await writer.seal(manifestOf(name, content));
}

async function trashOf(store: FragmentStore, only?: string): Promise<TrashedFragment[]> {
  const found: TrashedFragment[] = [];
  for await (const fragment of store.trash(only)) found.push(fragment);
  return found;
}

async function all(store: FragmentStore): Promise<StoredFragment[]> {
  const found: StoredFragment[] = [];
  for await (const fragment of store.list()) found.push(fragment);
  return found;
}
