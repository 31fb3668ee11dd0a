import { beforeAll, describe, expect, it } from '@jest/globals';
import { catalogReconcile } from '#contracts/catalog/care.js';
import { imageExpire } from '#contracts/catalog/expiry.js';
import { tombstone, type Tombstone } from '#contracts/fragment.js';
import { catalogFragments, type FragmentView } from '#contracts/image.js';
import type { InventoryEntry } from '#contracts/media.js';
import { until } from '../../../../test/support/until.js';
import { MEDIA } from '../testing/commit.js';
import { MediaOnTheWire } from '../testing/media-on-the-wire.js';
import { useCatalog } from '../testing/use-catalog.js';

let media: MediaOnTheWire;
const grants: Tombstone[] = [];

const { cluster, maker } = await useCatalog({
  ...{ HOLDFAST_GRANT_EVERY: '50ms', HOLDFAST_DELETE_GRACE: '50ms' },
  HOLDFAST_CARE_EVERY: '1h',
});

beforeAll(async () => {
  const observer = await cluster.connect('observer');
  observer.connection.subscribe('hf.int.v1.frag.delete.>', {
    callback: (_, message) => void grants.push(tombstone.parse(message.json())),
  });
  media = new MediaOnTheWire(observer, MEDIA);
  await media.listen();
});

function show(fragment: FragmentView, over: Partial<InventoryEntry>): void {
  const { fragmentId, imageId, copy, number, digest, storedBytes, pool } = fragment;
  media.entries.set(fragment.fragmentId, {
    ...{ fragmentId, imageId, copy, number, pool, digest, storedBytes },
    ...{ journal: 'none', bytes: 'whole', catalogEpoch: null, tombstoneId: null, reason: '' },
    ...over,
  });
}

async function reconcile(): Promise<string[]> {
  const { findings } = await maker.operator.call(catalogReconcile, { mediaId: MEDIA });
  return findings.map(({ number, action }) => `${number} ${action}`);
}

const granted = (times: number) => until(() => grants.length === times);

describe('what is granted, and its journal was lost', () => {
  it('is taken in, also out of the trash, before its grant goes on', async () => {
    const { imageId } = await maker.backup(2);
    const page = { imageId, all: true };
    const [whole, trashed] = (await maker.operator.call(catalogFragments, page)).fragments;
    await maker.operator.call(imageExpire, { imageId, now: true });
    await granted(2);
    await cluster.database.query(`UPDATE fragment SET state = 'DELETED' WHERE fragment_id = $1`, [
      trashed!.fragmentId,
    ]);
    show(whole!, {});
    show(trashed!, { bytes: 'trash', digest: null, storedBytes: null });
    expect(await reconcile()).toEqual(['1 adopt', '2 take-back']);
    expect(media.asked).toEqual([`adopt ${whole!.fragmentId}`, `take-back ${trashed!.fragmentId}`]);
    show(whole!, { journal: 'SEALED' });
    show(trashed!, { journal: 'SEALED' });
    expect(await reconcile()).toEqual(['1 grant-again', '2 grant-again']);
    await granted(4);
    expect(new Set(grants.map(({ tombstoneId }) => tombstoneId)).size).toBe(2);
    show(whole!, { journal: 'REMOVED', bytes: 'trash' });
    show(trashed!, { journal: 'REMOVED', bytes: 'trash' });
    expect(await reconcile()).toEqual(['1 grant-again', '2 grant-again']);
  });
});
