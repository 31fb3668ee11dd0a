import { beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { catalogReconcile } from '#contracts/catalog/care.js';
import { fragmentSuspect } from '#contracts/catalog/copy.js';
import { catalogFragments, type FragmentView } from '#contracts/image.js';
import type { InventoryEntry } from '#contracts/media.js';
import { until } from '../../../../test/support/until.js';
import { MEDIA } from '../testing/commit.js';
import { MediaOnTheWire } from '../testing/media-on-the-wire.js';
import { useCatalog } from '../testing/use-catalog.js';

const { cluster, maker } = await useCatalog({ HOLDFAST_CARE_EVERY: '1h' });
let media: MediaOnTheWire;

beforeAll(async () => {
  media = new MediaOnTheWire(await cluster.connect('observer'), MEDIA);
  await media.listen();
});

beforeEach(() => {
  media.slow.clear();
  media.bytes.clear();
  media.entries.clear();
  media.verified.length = 0;
});

function suspect(fragmentId: string) {
  const request = { fragmentId, reason: 'its digest is wrong', reporter: 'agent-web1' };
  return maker.operator.call(fragmentSuspect, request);
}

async function fragmentsOf(imageId: string): Promise<FragmentView[]> {
  return (await maker.operator.call(catalogFragments, { imageId, all: true })).fragments;
}

async function states(imageId: string): Promise<string[]> {
  return (await fragmentsOf(imageId)).map(({ state }) => state);
}

/** The media server has it by name and size. */
function show(
  { fragmentId, imageId, ...fragment }: FragmentView,
  over: Partial<InventoryEntry> = {},
) {
  const { copy, number, digest, storedBytes, pool } = fragment;
  media.entries.set(fragmentId, {
    ...{ fragmentId, imageId, copy, number, pool, digest, storedBytes, journal: 'COMMITTED' },
    ...{ bytes: 'whole', catalogEpoch: 'old', tombstoneId: null, reason: '', ...over },
  });
}

async function reconcile(imageId: string) {
  const { findings, unchecked } = await maker.operator.call(
    catalogReconcile,
    { mediaId: MEDIA },
    { timeoutMs: 30_000 },
  );
  const mine = findings.filter((each) => each.imageId === imageId);
  return { actions: mine.map(({ action }) => action), unchecked };
}

describe('a fragment that somebody suspects', () => {
  it('is answered for while it is still read, and DAMAGED when it was; nobody has it read twice', async () => {
    const { imageId, fragmentIds } = await maker.backup(1);
    const [large] = fragmentIds as [string];
    media.slow.add(large);
    expect(await suspect(large)).toEqual({ state: 'ACTIVE' });
    const asked = media.verified.length;
    const again = await Promise.all([suspect(large), suspect(large)]);
    expect(again).toEqual([{ state: 'ACTIVE' }, { state: 'ACTIVE' }]);
    // One who asks again and again, as the media server has it.
    expect(media.verified.length).toBeLessThan(asked + 10);
    media.bytes.set(large, 'damaged');
    media.slow.clear();
    await until(async () => (await states(imageId))[0] === 'DAMAGED');
    media.verified.length = 0;
    expect(await suspect(large)).toEqual({ state: 'DAMAGED' });
    expect(media.verified).toEqual([]);
  });

  it('waits for its turn behind two others of its media server, and is answered for', async () => {
    const { imageId, fragmentIds } = await maker.backup(3);
    for (const id of fragmentIds) media.slow.add(id);
    for (const id of fragmentIds) expect(await suspect(id)).toEqual({ state: 'ACTIVE' });
    expect([...new Set(media.verified)].sort()).toEqual(fragmentIds.slice(0, 2).sort());
    for (const id of fragmentIds) media.bytes.set(id, 'damaged');
    media.slow.clear();
    await until(async () => (await states(imageId)).every((state) => state === 'DAMAGED'));
  });
});

describe('a comparison', () => {
  it('has what is DAMAGED, and seems to be there, read once a day', async () => {
    const { imageId, fragmentIds } = await maker.backup(1);
    const [bad] = fragmentIds as [string];
    show((await fragmentsOf(imageId))[0]!);
    media.bytes.set(bad, 'missing');
    await suspect(bad);
    // It was not read: it was not there.
    media.bytes.set(bad, 'damaged');
    media.verified.length = 0;
    const found = { actions: ['check-again'], unchecked: 0 };
    expect(await reconcile(imageId)).toEqual(found);
    expect(await reconcile(imageId)).toEqual(found);
    expect(media.verified).toEqual([bad]);
    expect(await states(imageId)).toEqual(['DAMAGED']);
  });

  it('finds bytes that are back at once', async () => {
    const { imageId, fragmentIds } = await maker.backup(1);
    const [gone] = fragmentIds as [string];
    show((await fragmentsOf(imageId))[0]!);
    media.bytes.set(gone, 'missing');
    await suspect(gone);
    await maker.state(imageId, 'INCOMPLETE');
    media.bytes.delete(gone);
    expect(await reconcile(imageId)).toEqual({ actions: ['check-again'], unchecked: 0 });
    await maker.state(imageId, 'COMPLETE');
  });

  it('does not wait for large ones to be read, and says how many it left', async () => {
    const { imageId, fragmentIds } = await maker.backup(3);
    for (const id of fragmentIds) media.bytes.set(id, 'missing');
    for (const id of fragmentIds) await suspect(id);
    for (const fragment of await fragmentsOf(imageId)) show(fragment);
    for (const id of fragmentIds) media.slow.add(id);
    media.verified.length = 0;
    const begun = performance.now();
    expect(await reconcile(imageId)).toMatchObject({ unchecked: 3 });
    expect(performance.now() - begun).toBeLessThan(20_000);
    // One after the other: the others were not begun.
    expect(fragmentIds.filter((id) => media.verified.includes(id))).toHaveLength(1);
    media.slow.clear();
    for (const id of fragmentIds) media.bytes.set(id, 'whole');
    await until(async () => (await reconcile(imageId)).actions.length === 0);
  });
});
