import { beforeAll, describe, expect, it } from '@jest/globals';
import { catalogUnpin } from '#contracts/catalog/copy.js';
import { imageExpire, imageHold, imageUndelete } from '#contracts/catalog/expiry.js';
import { tombstone, type Tombstone } from '#contracts/fragment.js';
import { catalogFragments } from '#contracts/image.js';
import { until } from '../../../../test/support/until.js';
import { useCatalog } from '../testing/use-catalog.js';

const QUICK = { HOLDFAST_GRANT_EVERY: '50ms', HOLDFAST_EXPIRE_EVERY: '200ms' };

const { cluster, catalog, maker } = await useCatalog(QUICK);
await cluster.compared(catalog);

describe('what is marked for deletion, and needed after all,', () => {
  const grants: Tombstone[] = [];

  beforeAll(async () => {
    const observer = (await cluster.connect('observer')).connection;
    observer.subscribe('hf.int.v1.frag.delete.>', {
      callback: (_, message) => void grants.push(tombstone.parse(message.json())),
    });
    await observer.flush();
  });

  async function statesOf(imageId: string, copy = 1): Promise<string[]> {
    const page = { imageId, copy, all: true };
    const { fragments } = await maker.operator.call(catalogFragments, page);
    return fragments.map(({ state }) => state);
  }

  it('stays where an image on hold builds on it, though both are marked', async () => {
    const lineage = { client: 'db2', policy: 'nightly' };
    const { imageId: full } = await maker.backup(1, lineage);
    const { imageId: next } = await maker.begin({ ...lineage, kind: 'differential' });
    await maker.commit({ imageId: next, number: 1 });
    const totals = { fragments: 1, files: 1, bytes: 1 };
    await maker.finishAs(next, { kind: 'differential', ...totals });
    await maker.state(next, 'COMPLETE');
    await cluster.database.query(
      'UPDATE image SET expires_at = now() WHERE image_id = ANY($1::text[])',
      [[full, next]],
    );
    for (const imageId of [next, full]) {
      await until(() => statesOf(imageId), { is: ([state]) => state === 'TO_BE_DELETED' });
    }
    const hold = { imageId: next, hold: 'late', reason: 'a trial' };
    await maker.operator.call(imageHold, { ...hold, release: false });
    await cluster.endGrace([full]);
    await until(() => statesOf(full), { is: ([state]) => state === 'ACTIVE' });
    await maker.operator.call(imageUndelete, { imageId: next });
    expect(await statesOf(next)).toEqual(['ACTIVE']);
  });

  it('stays where it has become the last good copy of an image on hold', async () => {
    const { imageId, fragmentIds } = await maker.backup(1);
    const { job } = await maker.duplicate(imageId);
    await maker.jobs.call(catalogUnpin, { job });
    await maker.operator.call(imageExpire, { imageId, copy: 2 });
    const hold = { imageId, hold: 'trial', reason: 'a trial', release: false };
    await maker.operator.call(imageHold, hold);
    await cluster.endGrace([imageId]);
    await cluster.database.query(`UPDATE fragment SET state = 'DAMAGED' WHERE fragment_id = $1`, [
      fragmentIds[0],
    ]);
    await until(() => statesOf(imageId, 2), { is: ([state]) => state === 'ACTIVE' });
  });

  it('stays with what of its copy was damaged, which is still good for the rest', async () => {
    const { imageId, fragmentIds } = await maker.backup(2);
    const { job, fragmentIds: others } = await maker.duplicate(imageId);
    await maker.jobs.call(catalogUnpin, { job });
    const damage = (fragmentId: string | undefined) =>
      cluster.database.query(`UPDATE fragment SET state = 'DAMAGED' WHERE fragment_id = $1`, [
        fragmentId,
      ]);
    await maker.operator.call(imageExpire, { imageId, copy: 2 });
    await damage(others[1]);
    await damage(fragmentIds[1]);
    await cluster.endGrace([imageId]);
    await until(() => statesOf(imageId, 2), { is: (states) => states.join() === 'ACTIVE,DAMAGED' });
    const marked = await cluster.database.query<unknown[]>(
      'SELECT 1 FROM fragment WHERE image_id = $1 AND deletable_at IS NOT NULL',
      [imageId],
    );
    expect(marked).toEqual([]);
    expect(grants.some(({ fragmentId }) => others.includes(fragmentId))).toBe(false);
  });
});
