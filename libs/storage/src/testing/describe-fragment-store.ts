import { randomBytes } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { InvalidInput } from '#kernel/errors.js';
import { FragmentUnreadable, VolumeFull } from '../errors.js';
import { READ_BYTES_MAX, type StoredFragment } from '../fragment-store.js';
import { all, fragmentName, manifestOf, patternBytes, write } from './fragments.js';
import { provesCopies } from './prove-copies.js';
import { provesRemoval, provesReturn } from './prove-removal.js';
import type { StoreFactory, StoreFixture, Use } from './store-fixture.js';

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
    describe('for what is taken back: it', () => provesDiscard(use));
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

  it('gives back an index of mebibytes, however it came', () =>
    use(async ({ store, reopen }) => {
      const content = { data: patternBytes(10), index: patternBytes(3_500_000, 5) };
      const fragment = fragmentName(1);
      const writer = await store.create(fragment);
      await writer.writeData([content.data]);
      for (let at = 0; at < content.index.length; at += 700_000) {
        await writer.writeIndex([content.index.subarray(at, at + 700_000)]);
      }
      await writer.seal(manifestOf(fragment, content));
      const reader = await reopen().open(fragment);
      for (let at = 0; at < content.index.length; at += 500_000) {
        const expected = content.index.subarray(at, at + 500_000);
        expect((await reader.read('index', at, expected.length)).equals(expected)).toBe(true);
      }
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

function provesDiscard(use: Use): void {
  it('has nothing left of what its writer took back, and of that alone', () =>
    use(async ({ store, reopen }) => {
      const content = { data: patternBytes(10), index: patternBytes(5) };
      await write(store, fragmentName(1), content);
      const writer = await store.create(fragmentName(2));
      await writer.writeData([patternBytes(1_000)]);
      await writer.writeIndex([patternBytes(10)]);
      expect(await writer.discard()).toBe(true);
      expect(await writer.discard()).toBe(true);
      expect(await all(reopen())).toMatchObject([{ state: 'sealed', name: fragmentName(1) }]);
    }));

  it('keeps what was sealed, whoever takes it back then', () =>
    use(async ({ store, reopen }) => {
      const content = { data: patternBytes(10), index: patternBytes(5) };
      const writer = await store.create(fragmentName(1));
      await writer.writeData([content.data]);
      await writer.writeIndex([content.index]);
      await writer.seal(manifestOf(fragmentName(1), content));
      expect(await writer.discard()).toBe(false);
      expect(await all(reopen())).toMatchObject([{ state: 'sealed', name: fragmentName(1) }]);
    }));
}

function provesVisibility(use: Use): void {
  it('shows a fragment from its seal on, not before', () =>
    use(async ({ store, reopen, countsPartialData = true }) => {
      const fragment = fragmentName(1);
      expect(await store.stat(fragment)).toBeUndefined();
      const writer = await store.create(fragment);
      const content = { data: patternBytes(10), index: patternBytes(5) };
      await writer.writeData([content.data]);
      await writer.writeIndex([content.index]);
      const partial = { state: 'partial', ...(countsPartialData && { dataBytes: 10 }) };
      expect(await reopen().stat(fragment)).toMatchObject(partial);
      await expect(store.open(fragment)).rejects.toBeInstanceOf(FragmentUnreadable);
      await writer.seal(manifestOf(fragment, content));
      expect(await reopen().stat(fragment)).toMatchObject({ state: 'sealed' });
      await reopen().settle(fragment);
      await reopen().settle(fragmentName(2));
      expect(await reopen().stat(fragment)).toMatchObject({ state: 'sealed' });
      expect(await reopen().stat(fragmentName(2))).toBeUndefined();
    }));

  it('leaves what was abandoned where it is, as partial', () =>
    use(async ({ store, reopen, countsPartialData = true }) => {
      const writer = await store.create(fragmentName(1));
      await writer.writeData([patternBytes(1_000)]);
      await writer.abandon();
      await writer.abandon();
      const partial = { state: 'partial', ...(countsPartialData && { dataBytes: 1_000 }) };
      expect(await all(reopen())).toMatchObject([partial]);
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
    use(async ({ store, reopen, fullStatus = 129 }) => {
      const content = { data: patternBytes(300_000), index: patternBytes(5) };
      await write(store, fragmentName(1), content);
      const writer = await store.create(fragmentName(2));
      const fill = async () => {
        for (let mib = 0; mib < 64; mib += 1) await writer.writeData([randomBytes(1_048_576)]);
      };
      await expect(fill()).rejects.toBeInstanceOf(VolumeFull);
      await expect(writer.writeData([patternBytes(1)])).rejects.toBeInstanceOf(VolumeFull);
      await expect(writer.writeIndex([patternBytes(1)])).rejects.toMatchObject({
        status: fullStatus,
      });
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
        data: randomBytes(500_000),
        index: patternBytes(1),
      });
      expect(await store.freeBytes()).toBeLessThanOrEqual(before - 500_000);
    }, 2_000_000));
}
