import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from '@jest/globals';
import {
  catalogChain,
  catalogImage,
  catalogSynthesisChain,
  imageAbandon,
  imageBegin,
} from '#contracts/image.js';
import { SystemClock } from '#kernel/clock.js';
import { KeptListings } from './kept-listings.js';
import { useCatalog } from './testing/use-catalog.js';

const SELECTIONS = ['/srv', '/etc'];
const OF = { client: 'web1', policy: 'files', selections: SELECTIONS };

const { cluster: harness, maker } = await useCatalog();

describe('synthetic fulls in the catalog', () => {
  let full: string;
  let tip: string;

  const chainFor = async (job: number, changes: object = {}) => {
    const request = { job, ...OF, ...changes };
    const { images } = await maker.jobs.call(catalogSynthesisChain, request);
    return images.map(({ imageId }) => imageId);
  };
  const incremental = async (kind: 'differential' | 'cumulative', changes: object = {}) => {
    const job = maker.nextJob();
    const begun = await maker.begin({ job, kind, selections: SELECTIONS, ...changes });
    await maker.commit({ imageId: begun.imageId, number: 1 });
    const totals = { fragments: 1, files: 1, bytes: 1 };
    await maker.finishAs(begun.imageId, { kind, ...totals });
    await maker.state(begun.imageId, 'COMPLETE');
    return begun;
  };
  const kept = async () =>
    (await new KeptListings(harness.database, new SystemClock()).of('web1', 'files'))!;

  it('are made from nothing where there is nothing, or where the newest image is a full', async () => {
    await expect(chainFor(900)).rejects.toMatchObject({ status: 607 });
    full = (await maker.backup(1, { selections: SELECTIONS })).imageId;
    await expect(chainFor(900)).rejects.toMatchObject({ status: 607 });
  });

  it('are made from the newest image back to the full, of the same lineage', async () => {
    tip = (await incremental('differential')).imageId;
    expect(await chainFor(900)).toEqual([full, tip]);
    expect(await chainFor(900, { selections: [...SELECTIONS].reverse() })).toEqual([full, tip]);
    await expect(chainFor(900, { policy: 'others' })).rejects.toMatchObject({ status: 607 });
    await expect(chainFor(900, { selections: ['/srv'] })).rejects.toMatchObject({ status: 607 });
  });

  it('are dated a second behind what they are made from, and build on nothing', async () => {
    const job = maker.nextJob();
    const begun = await maker.begin({ job, selections: SELECTIONS, syntheticOf: tip });
    const time = Number(tip.split('_')[1]);
    expect(begun).toMatchObject({ imageId: `web1_${time + 1}`, kind: 'full', baseImageId: null });
    expect(begun.details).toMatchObject({ syntheticOf: tip, job });
    // What comes meanwhile changes nothing for the job that has begun.
    const later = await incremental('differential');
    expect(later).toMatchObject({ baseImageId: tip });
    expect(later).not.toHaveProperty('baseListing');
    expect(await chainFor(job)).toEqual([full, tip]);
    expect(await chainFor(901)).toEqual([full, tip, later.imageId]);
    const second = await maker.jobs.call(imageBegin, {
      ...{ job, attempt: 2, client: 'web1', policy: 'files', schedule: 's', kind: 'full' },
      ...{ selections: SELECTIONS, retention: '14d', unit: 'default', pool: 'default' },
      ...{ mediaId: 'm1', syntheticOf: tip },
    });
    expect(second).toMatchObject({ imageId: begun.imageId, nextNumber: 1 });
  });

  it('are not dated behind a backup of the same that began right behind what they are made from', async () => {
    const of = { client: 'busy', policy: 'files' };
    const lineage = { ...of, selections: SELECTIONS };
    await maker.backup(1, lineage);
    const last = await maker.begin({ ...lineage, kind: 'differential' });
    const time = last.backupTime;
    // However long this takes here.
    const date = ({ imageId }: { imageId: string }, behind: number) =>
      harness.database.query('UPDATE image SET backup_time = $2 WHERE image_id = $1', [
        ...[imageId, time + behind],
      ]);
    // One of another policy only takes the second.
    await date(await maker.begin({ ...lineage, policy: 'others' }), 1);
    const made = await maker.begin({ ...lineage, syntheticOf: last.imageId });
    expect(made.backupTime).toBe(time + 2);
    await date(await maker.begin({ ...lineage, kind: 'differential' }), 3);
    await expect(maker.begin({ ...lineage, syntheticOf: last.imageId })).rejects.toMatchObject({
      ...{ status: 607, message: expect.stringContaining('began right behind') },
    });
  });

  it('are dated behind what never came to anything, also an earlier one of the same', async () => {
    const lineage = { client: 'retried', policy: 'files', selections: SELECTIONS };
    await maker.backup(1, lineage);
    const last = await incremental('differential', lineage);
    const again = () => maker.begin({ ...lineage, syntheticOf: last.imageId });
    const failed = await again();
    expect(failed.backupTime).toBe(last.backupTime + 1);
    // Its job could not abandon it yet.
    const next = await again();
    expect(next.backupTime).toBe(last.backupTime + 2);
    const abandon = (imageId: string, job: number) =>
      maker.jobs.call(imageAbandon, { imageId, job });
    await abandon(next.imageId, next.details.job!);
    const cut = { ...lineage, job: maker.nextJob(), kind: 'differential' as const };
    const begun = await maker.begin(cut);
    await maker.commit({ imageId: begun.imageId, number: 1 });
    await harness.database.query('UPDATE image SET backup_time = $2 WHERE image_id = $1', [
      ...[begun.imageId, last.backupTime + 3],
    ]);
    await expect(again()).rejects.toMatchObject({ status: 607 });
    await abandon(begun.imageId, cut.job);
    expect((await again()).backupTime).toBe(last.backupTime + 4);
  });

  it('and incrementals leave out what was made while a clock was ahead', async () => {
    const lineage = { client: 'ahead', policy: 'files', selections: SELECTIONS };
    const first = (await maker.backup(1, lineage)).imageId;
    const second = (await incremental('differential', lineage)).imageId;
    const early = [await maker.backup(1, lineage), await incremental('differential', lineage)];
    const nextYear = Math.floor(Date.now() / 1_000) + 365 * 86_400;
    for (const [at, { imageId }] of early.entries()) {
      await harness.database.query('UPDATE image SET backup_time = $2 WHERE image_id = $1', [
        ...[imageId, nextYear + at],
      ]);
    }
    // The seconds that their ids bear are none for others.
    const last = Number(early[1]!.imageId.split('_')[1]);
    while (Date.now() / 1_000 < last + 1) await sleep(100);
    expect(await chainFor(903, lineage)).toEqual([first, second]);
    for (const [kind, baseImageId] of [
      ...[['differential', second] as const, ['cumulative', first] as const],
    ]) {
      expect(await maker.begin({ ...lineage, kind })).toMatchObject({ kind, baseImageId });
    }
    const listings = new KeptListings(harness.database, new SystemClock());
    const keep = await listings.of('ahead', 'files');
    expect(keep).toEqual(expect.arrayContaining([first, second]));
    for (const { imageId } of early) expect(keep).not.toContain(imageId);
  });

  it('are not made of a full, or of what is not there', async () => {
    const begin = (syntheticOf: string) => maker.begin({ selections: SELECTIONS, syntheticOf });
    await expect(begin(full)).rejects.toMatchObject({ status: 607 });
    await expect(begin('web1_12')).rejects.toMatchObject({ status: 607 });
  });

  it('are bases like any full; the client compares with the listing of what they were made from', async () => {
    const newest = (await chainFor(902)).at(-1)!;
    const { imageId } = await maker.backup(1, { selections: SELECTIONS, syntheticOf: newest });
    const { image } = await maker.operator.call(catalogImage, { imageId });
    expect(image).toMatchObject({ syntheticOf: newest, kind: 'full', state: 'COMPLETE' });
    expect(await kept()).toContain(newest);
    expect(await kept()).not.toContain(imageId);
    for (const kind of ['differential', 'cumulative'] as const) {
      const next = await maker.begin({ kind, selections: SELECTIONS });
      expect(next).toMatchObject({ kind, baseImageId: imageId, baseListing: newest });
    }
    const { images } = await maker.operator.call(catalogChain, { imageId, exact: false });
    expect(images.map((one) => one.imageId)).toEqual([imageId]);
  });
});
