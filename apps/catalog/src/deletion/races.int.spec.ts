import { describe, expect, it } from '@jest/globals';
import { setTimeout as delay } from 'node:timers/promises';
import { catalogPin, catalogUnpin } from '#contracts/catalog/copy.js';
import { imageExpire, imageUndelete } from '#contracts/catalog/expiry.js';
import { Pins } from '../persistence/copies/pins.js';
import { Deletables } from '../persistence/deletion/deletables.js';
import { useCatalog } from '../testing/use-catalog.js';

/** Longer than anything takes that does not wait for a lock. */
const WAITING_MS = 300;

const { cluster, maker } = await useCatalog();
await cluster.startCatalog();

describe('a deletion and a pin at the same moment', () => {
  function isSettled(promise: Promise<unknown>): Promise<boolean> {
    const settled = promise.then(
      () => true,
      () => true,
    );
    return Promise.race([settled, delay(WAITING_MS, false)]);
  }

  it('the deletion waits for a pin that is being made, and then respects it', async () => {
    const { imageId } = await maker.backup(3);
    const job = maker.nextJob();
    const pinning = cluster.database.createQueryRunner();
    await pinning.startTransaction();
    expect(await new Pins(pinning.manager).pinImages(job, [imageId])).toBe(3);
    const expiring = maker.operator.call(imageExpire, { imageId, now: true });
    expect(await isSettled(expiring)).toBe(false);
    await pinning.commitTransaction();
    await pinning.release();
    const { decisions } = await expiring;
    expect(decisions).toMatchObject([
      {
        ...{ decision: 'keep', fragments: 3 },
        reasons: ['1 running job reads it', expect.stringContaining('still expires')],
      },
    ]);
  });

  it('the pin waits for a deletion that is being decided, and then finds nothing to hold', async () => {
    const { imageId } = await maker.backup(3);
    const job = maker.nextJob();
    const expiring = cluster.database.createQueryRunner();
    await expiring.startTransaction();
    const deletables = new Deletables(expiring.manager);
    const fragments = await deletables.lock(imageId);
    const pinning = maker.jobs.call(catalogPin, { job, imageIds: [imageId] });
    // Its failure is looked at below.
    pinning.catch(() => undefined);
    expect(await isSettled(pinning)).toBe(false);
    const to = { state: 'TO_BE_DELETED', deletableAt: Date.now(), tombstoneId: null } as const;
    await deletables.save(
      fragments.map(({ fragmentId }) => ({ fragmentId, to, reason: '' })),
      new Date(),
    );
    await expiring.commitTransaction();
    await expiring.release();
    await expect(pinning).rejects.toMatchObject({ status: 229 });
    expect(await maker.jobs.call(catalogUnpin, { job })).toEqual({ fragments: 0 });
  });

  it('the pin holds what is left where only one of two copies goes', async () => {
    const { imageId } = await maker.backup(2);
    const { job: writer } = await maker.duplicate(imageId);
    await maker.jobs.call(catalogUnpin, { job: writer });
    const expiring = cluster.database.createQueryRunner();
    await expiring.startTransaction();
    const deletables = new Deletables(expiring.manager);
    const second = (await deletables.lock(imageId)).filter(({ copy }) => copy === 2);
    const reader = { job: maker.nextJob(), imageIds: [imageId] };
    const pinning = maker.jobs.call(catalogPin, reader);
    expect(await isSettled(pinning)).toBe(false);
    const to = { state: 'TO_BE_DELETED', deletableAt: Date.now(), tombstoneId: null } as const;
    await deletables.save(
      second.map(({ fragmentId }) => ({ fragmentId, to, reason: '' })),
      new Date(),
    );
    await expiring.commitTransaction();
    await expiring.release();
    expect(await pinning).toEqual({ fragments: 2 });
  });

  it('one of them wins, whoever that is', async () => {
    const { imageId } = await maker.backup(5);
    for (let round = 0; round < 40; round += 1) {
      const job = maker.nextJob();
      const [pin, expire] = await Promise.allSettled([
        maker.jobs.call(catalogPin, { job, imageIds: [imageId] }),
        maker.operator.call(imageExpire, { imageId, now: true }),
      ]);
      const isPinned = pin.status === 'fulfilled';
      const isMarked =
        expire.status === 'fulfilled' && expire.value.decisions[0]!.decision === 'delete';
      expect([isPinned, isMarked]).toContain(true);
      expect(isPinned && isMarked).toBe(false);
      await maker.jobs.call(catalogUnpin, { job });
      if (isMarked) await maker.operator.call(imageUndelete, { imageId });
    }
  });
});
