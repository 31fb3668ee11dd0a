import { beforeAll, describe, expect, it } from '@jest/globals';
import { catalogReconcile } from '#contracts/catalog/care.js';
import { catalogFragments, type FragmentView } from '#contracts/image.js';
import { mediaOfferAgain, mediaVerifyFragment, type InventoryEntry } from '#contracts/media.js';
import { instanceSubject } from '#contracts/contract.js';
import { MEDIA } from '../testing/commit.js';
import { MediaOnTheWire } from '../testing/media-on-the-wire.js';
import { useCatalog } from '../testing/use-catalog.js';

const UNKNOWN = '01920000-0000-7000-8000-00000000dead';

let media: MediaOnTheWire;
/** What the media server was asked, in order. */
const asked: string[] = [];

const { cluster, maker } = await useCatalog({ HOLDFAST_CARE_EVERY: '1h' });

beforeAll(async () => {
  const observer = await cluster.connect('observer');
  for (const endpoint of [mediaVerifyFragment, mediaOfferAgain]) {
    observer.connection.subscribe(instanceSubject(endpoint, MEDIA), {
      callback: () => void asked.push(endpoint.name),
    });
  }
  media = new MediaOnTheWire(observer, MEDIA);
  await media.listen();
});

function show(fragment: FragmentView, over: Partial<InventoryEntry>): void {
  const { fragmentId, imageId, copy, number, digest, storedBytes, pool } = fragment;
  media.entries.set(fragment.fragmentId, {
    ...{ fragmentId, imageId, copy, number, pool, digest, storedBytes },
    ...{ journal: 'COMMITTED', bytes: 'whole', catalogEpoch: 'old', tombstoneId: null, reason: '' },
    ...over,
  });
}

async function fragmentsOf(imageId: string): Promise<FragmentView[]> {
  const page = { imageId, all: true };
  return (await maker.operator.call(catalogFragments, page)).fragments;
}

/** What it settles of an image, as `fragment action`. */
async function reconcile(imageId: string): Promise<string[]> {
  const { findings } = await maker.operator.call(catalogReconcile, { mediaId: MEDIA });
  const mine = findings.filter((each) => each.imageId === imageId);
  return mine.map(({ fragmentId, action }) => `${fragmentId} ${action}`);
}

describe('a good fragment that was refused, since another one held its number', () => {
  it('is offered again when that one is damaged, and takes its place', async () => {
    const { imageId } = await maker.backup(1);
    const [held] = (await fragmentsOf(imageId)) as [FragmentView];
    const { digest, storedBytes } = held;
    const same = { imageId, number: 1, digest, storedBytes };
    const { fragmentId, verdict } = await maker.commit(same);
    expect(verdict).toBe('SUPERSEDED');
    const other = await maker.commit({ ...same, digest: 'cd'.repeat(32) });
    show(held, {});
    show({ ...held, fragmentId }, { journal: 'SUPERSEDED' });
    show({ ...held, ...other, digest: 'cd'.repeat(32) }, { journal: 'SUPERSEDED' });
    expect(await reconcile(imageId)).toEqual([]);
    show(held, { bytes: 'missing' });
    media.bytes.set(held.fragmentId, 'missing');
    expect(await reconcile(imageId)).toEqual([`${held.fragmentId} mark-damaged`]);
    // Not the one with other bytes.
    expect(await reconcile(imageId)).toEqual([`${fragmentId} offer-again`]);
    expect(await maker.commit({ ...same, fragmentId })).toMatchObject({ verdict: 'COMMITTED' });
    show({ ...held, fragmentId }, {});
    expect(await reconcile(imageId)).toEqual([]);
  });

  it('does not come to that where both are of one page', async () => {
    const { imageId } = await maker.backup(1);
    const [held] = (await fragmentsOf(imageId)) as [FragmentView];
    show(held, { bytes: 'missing' });
    media.bytes.set(held.fragmentId, 'missing');
    show({ ...held, fragmentId: UNKNOWN }, {});
    asked.length = 0;
    expect((await reconcile(imageId)).sort()).toEqual(
      [`${held.fragmentId} mark-damaged`, `${UNKNOWN} offer-again`].sort(),
    );
    expect(asked).toEqual([mediaVerifyFragment.name, mediaOfferAgain.name]);
  });
});
