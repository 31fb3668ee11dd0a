import { expect, it } from '@jest/globals';
import { confirmGrant, type ConfirmedGrant } from '../confirmed-grant.js';
import { FragmentUnreadable } from '../errors.js';
import type { FragmentName } from '../fragment-name.js';
import { all, fragmentName, manifestOf, patternBytes, trashOf, write } from './fragments.js';
import type { Use } from './store-fixture.js';

const TOMBSTONE_ID = '01920000-0000-7000-8000-0000000000aa';

function grantFor(name: FragmentName, tombstoneId = TOMBSTONE_ID): ConfirmedGrant {
  return confirmGrant({ fragmentId: name.fragmentId, tombstoneId }, { confirmed: true })!;
}

/** The laws of `remove`. */
export function provesRemoval(use: Use): void {
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

/** The laws of `takeBack` and `emptyTrash`. */
export function provesReturn(use: Use): void {
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
    use(async ({ store, reopen, countsPartialData = true }) => {
      const writer = await store.create(fragmentName(1));
      await writer.writeData([patternBytes(10)]);
      await writer.abandon();
      await store.remove(grantFor(fragmentName(1)), fragmentName(1));
      await store.remove(grantFor(fragmentName(2)), fragmentName(2));
      const partial = { state: 'partial', ...(countsPartialData && { dataBytes: 10 }) };
      expect(await all(reopen())).toMatchObject([partial]);
      expect(await trashOf(store)).toEqual([]);
    }));
}
