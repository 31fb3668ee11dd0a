import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from '@jest/globals';
import { catalogCopies, catalogPin, catalogUnpin } from '#contracts/catalog/copy.js';
import { imageExpire, imageHold } from '#contracts/catalog/expiry.js';
import type { RequestOf } from '#contracts/contract.js';
import { catalogImage, imageAbandon } from '#contracts/image.js';
import { until } from '../../../../test/support/until.js';
import { useCatalog } from '../testing/use-catalog.js';

const EXPIRE_EVERY_MS = 100;

const { cluster, maker } = await useCatalog({ HOLDFAST_EXPIRE_EVERY: `${EXPIRE_EVERY_MS}ms` });

describe('an expiration', () => {
  type Expire = Partial<RequestOf<typeof imageExpire>>;

  const expire = (request: Expire) => maker.operator.call(imageExpire, request);

  async function reasonsOf(request: Expire): Promise<string[]> {
    const { decisions } = await expire(request);
    return decisions.map(({ copy, decision, reasons }) => `${copy} ${decision}: ${reasons.join()}`);
  }

  it('of a copy at once is about that copy alone, and never about the last good one', async () => {
    const { imageId } = await maker.backup(1);
    const { job } = await maker.duplicate(imageId);
    await maker.jobs.call(catalogUnpin, { job });
    const { image: before } = await maker.operator.call(catalogImage, { imageId });
    const second = { imageId, copy: 2, now: true };
    const goes = ['2 delete: another good copy remains'];
    expect(await reasonsOf({ ...second, dryRun: true })).toEqual(goes);
    expect(await reasonsOf(second)).toEqual(goes);
    expect(await reasonsOf({ ...second, copy: 1 })).toEqual([
      `1 keep: the last good copy of an image that expires ${before.expiresAt}`,
    ]);
    // The rounds that mark whatever has expired.
    await sleep(5 * EXPIRE_EVERY_MS);
    const { copies } = await maker.operator.call(catalogCopies, { imageId });
    expect(copies.map(({ state }) => state)).toEqual(['COMPLETE', 'TO_BE_DELETED']);
    const { image } = await maker.operator.call(catalogImage, { imageId });
    expect(image.expiresAt).toBe(before.expiresAt);
  });

  it('at once changes nothing of an image that is kept, and says until when it is', async () => {
    const { imageId } = await maker.backup(1);
    const held = { imageId, hold: 'case-1' };
    await maker.operator.call(imageHold, held);
    const { image: before } = await maker.operator.call(catalogImage, { imageId });
    const keeps = [
      `1 keep: on hold: case-1,nothing of the image goes, so it still expires ${before.expiresAt}`,
    ];
    expect(await reasonsOf({ imageId, now: true, dryRun: true })).toEqual(keeps);
    expect(await reasonsOf({ imageId, now: true })).toEqual(keeps);
    await maker.operator.call(imageHold, { ...held, release: true });
    await sleep(5 * EXPIRE_EVERY_MS);
    expect((await maker.operator.call(catalogImage, { imageId })).image).toMatchObject({
      ...{ expiresAt: before.expiresAt, state: 'COMPLETE' },
    });
    const { deletableAt } = await expire({ imageId, now: true });
    expect(deletableAt).not.toBeNull();
    const { image } = await maker.operator.call(catalogImage, { imageId });
    expect(Date.parse(image.expiresAt!)).toBeLessThan(Date.parse(before.expiresAt!));
  });

  it('spares what others build on, until their time is over, too', async () => {
    const lineage = { client: 'db1', policy: 'nightly' };
    const { imageId: full } = await maker.backup(1, lineage);
    const { imageId: first } = await maker.begin({ ...lineage, kind: 'differential' });
    const end = 'UPDATE image SET expires_at = now() WHERE image_id = $1';
    await cluster.database.query(end, [full]);
    expect(await reasonsOf({ imageId: full })).toEqual([
      `1 keep: the last good copy of an image that ${first} builds on`,
    ]);
    await cluster.database.query(end, [first]);
    await maker.jobs.call(imageAbandon, { imageId: first, job: maker.nextJob() - 1 });
    await until(async () => (await maker.operator.call(catalogCopies, { imageId: full })).copies, {
      is: ([copy]) => copy?.state === 'TO_BE_DELETED',
    });
  });

  it('of all whose time is over goes through them page by page', async () => {
    const imageIds: string[] = [];
    for (let number = 0; number < 3; number += 1) {
      const { imageId } = await maker.backup(1);
      // Read by a job they stay, however often a round comes to them.
      await maker.jobs.call(catalogPin, { job: maker.nextJob(), imageIds: [imageId] });
      imageIds.push(imageId);
    }
    await cluster.database.query(
      `UPDATE image SET expires_at = '2026-01-01' WHERE image_id = ANY($1::text[])`,
      [imageIds],
    );
    const found: string[] = [];
    const sizes: number[] = [];
    for (let after: string | null | undefined; after !== null;) {
      const page = await expire({ limit: 2, after });
      found.push(...page.decisions.map(({ imageId }) => imageId));
      sizes.push(page.decisions.length);
      after = page.next;
    }
    expect(found).toEqual([...imageIds].sort());
    expect(sizes).toEqual([2, 1]);
    expect((await expire({ imageId: imageIds[0] })).next).toBeNull();
  });
});
