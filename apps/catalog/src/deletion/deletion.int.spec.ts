import { beforeAll, describe, expect, it } from '@jest/globals';
import { catalogState } from '#contracts/catalog/care.js';
import { catalogCopies, catalogPin, catalogUnpin } from '#contracts/catalog/copy.js';
import {
  deleteClaim,
  deleteReport,
  imageExpire,
  imageHold,
  imageUndelete,
} from '#contracts/catalog/expiry.js';
import type { RequestOf, ResponseOf } from '#contracts/contract.js';
import { tombstone, type Tombstone } from '#contracts/fragment.js';
import { catalogChain, catalogFragments, catalogImage } from '#contracts/image.js';
import { jobsGet, type JobView } from '#contracts/job.js';
import { uuidv7 } from '#kernel/ids.js';
import { until } from '../../../../test/support/until.js';
import { Deletables } from '../persistence/deletion/deletables.js';
import { OTHER_MEDIA } from '../testing/catalog-harness.js';
import { MEDIA } from '../testing/commit.js';
import { OTHER_POOL } from '../testing/image-maker.js';
import { useCatalog } from '../testing/use-catalog.js';

const QUICK = {
  HOLDFAST_GRANT_EVERY: '50ms',
  HOLDFAST_GRANT_RESEND: '300ms',
  HOLDFAST_EXPIRE_EVERY: '200ms',
};

const { cluster, catalog, maker } = await useCatalog(QUICK);
// Two: whatever one does on its timers, the other may do at the same time.
const catalogs = [catalog, await cluster.startCatalog(QUICK)];
for (const each of catalogs) await cluster.compared(each);

describe('deletion', () => {
  const grants: Tombstone[] = [];
  const deleted: string[] = [];
  /** Jobs that the job manager says are done. */
  const done = new Set<number>();

  beforeAll(async () => {
    const observer = (await cluster.connect('observer')).connection;
    observer.subscribe('hf.int.v1.frag.delete.>', {
      callback: (_, message) => void grants.push(tombstone.parse(message.json())),
    });
    observer.subscribe('hf.evt.v1.fragment.deleted.>', {
      callback: (_, message) => void deleted.push(message.json<{ subject: string }>().subject),
    });
    observer.subscribe(jobsGet.subject, {
      callback: (_, message) => {
        const { job } = message.json<{ job: number }>();
        message.respond(JSON.stringify(jobAnswer(job, done.has(job) ? 'done' : 'active')));
      },
    });
    await observer.flush();
  });

  type Expire = Partial<RequestOf<typeof imageExpire>>;

  async function expire(imageId: string, request: Expire = {}) {
    const { decisions } = await maker.operator.call(imageExpire, { imageId, ...request });
    return decisions.map(({ copy, decision, reasons }) => `${copy} ${decision}: ${reasons.join()}`);
  }

  /** As if its time had come. */
  async function endTime(imageId: string): Promise<void> {
    await cluster.database.query('UPDATE image SET expires_at = now() WHERE image_id = $1', [
      imageId,
    ]);
  }

  async function statesOf(imageId: string, copy = 1): Promise<string[]> {
    const page = { imageId, copy, all: true };
    const { fragments } = await maker.operator.call(catalogFragments, page);
    return fragments.map(({ state }) => state);
  }

  async function copyStates(imageId: string): Promise<string[]> {
    const { copies } = await maker.operator.call(catalogCopies, { imageId });
    return copies.map(({ state }) => state);
  }

  function grantOf(fragmentId: string): Promise<Tombstone> {
    const find = () => Promise.resolve(grants.find((each) => each.fragmentId === fragmentId));
    return until(find) as Promise<Tombstone>;
  }

  async function duplicated(fragments: number) {
    const image = await maker.backup(fragments);
    const copy = await maker.duplicate(image.imageId);
    await maker.jobs.call(catalogUnpin, { job: copy.job });
    return { ...image, others: copy.fragmentIds };
  }

  function claim(of: Tombstone, mediaId = of.mediaId) {
    const { tombstoneId, fragmentId } = of;
    return maker.as(mediaId).call(deleteClaim, { mediaId, tombstoneId, fragmentId });
  }

  function report({ mediaId, tombstoneId, fragmentId }: Tombstone) {
    return maker.as(mediaId).call(deleteReport, {
      ...{ mediaId, removals: [{ tombstoneId, fragmentId }] },
    });
  }

  it('is previewed with reasons, and a preview changes nothing', async () => {
    const { imageId } = await duplicated(2);
    const preview = await expire(imageId, { dryRun: true });
    expect(preview).toEqual([
      expect.stringMatching(/^1 keep: expires /),
      expect.stringMatching(/^2 keep: expires /),
    ]);
    const now = await expire(imageId, { dryRun: true, now: true });
    expect(now).toEqual([
      expect.stringMatching(/^1 delete: expired /),
      expect.stringMatching(/^2 delete: expired /),
    ]);
    expect(await expire(imageId, { dryRun: true, copy: 2 })).toEqual([
      '2 delete: another good copy remains',
    ]);
    expect(await statesOf(imageId)).toEqual(['ACTIVE', 'ACTIVE']);
    const noImage = maker.operator.call(imageExpire, { now: true });
    await expect(noImage).rejects.toMatchObject({ status: 20 });
    await expect(expire('nobody_1')).rejects.toMatchObject({ status: 227 });
  });

  it('can be taken back within the grace period, for another retention', async () => {
    const { imageId } = await maker.backup(2);
    const answer = await maker.operator.call(imageExpire, { imageId, now: true });
    const inADay = Date.now() + 86_400_000;
    expect(Math.abs(Date.parse(answer.deletableAt!) - inADay)).toBeLessThan(60_000);
    expect(await statesOf(imageId)).toEqual(['TO_BE_DELETED', 'TO_BE_DELETED']);
    expect(await copyStates(imageId)).toEqual(['TO_BE_DELETED']);
    const { image } = await maker.operator.call(catalogImage, { imageId });
    const leaving = { state: 'TO_BE_DELETED', until: answer.deletableAt };
    expect(image).toMatchObject({ state: 'INCOMPLETE', copies: 1, leaving });
    await expect(maker.jobs.call(catalogChain, { imageId })).rejects.toMatchObject({
      status: 229,
      message: expect.stringMatching(/marked for deletion.* holdfast image undelete web1_\d+$/),
    });
    expect(await expire(imageId)).toEqual(['1 keep: marked for deletion already']);
    const { fragments, expiresAt } = await maker.operator.call(imageUndelete, { imageId });
    expect(fragments).toBe(2);
    expect(Date.parse(expiresAt!) - Date.now()).toBeGreaterThan(13 * 86_400_000);
    expect(await copyStates(imageId)).toEqual(['COMPLETE']);
    expect((await maker.state(imageId, 'COMPLETE')).leaving).toBeNull();
    const again = maker.operator.call(imageUndelete, { imageId });
    await expect(again).rejects.toMatchObject({ status: 227 });
  });

  it('is granted after the grace period, claimed, reported, and told once', async () => {
    const { imageId, fragmentIds } = await maker.backup(1);
    const [fragmentId] = fragmentIds as [string];
    await expire(imageId, { now: true });
    await cluster.endGrace([imageId]);
    const grant = await grantOf(fragmentId);
    expect(grant).toMatchObject({ imageId, copy: 1, number: 1, mediaId: MEDIA, storedBytes: 500 });
    expect(grant.reason).toMatch(/^expired /);
    expect(await claim(grant)).toEqual({ confirmed: true, reason: '' });
    expect(await claim(grant, OTHER_MEDIA)).toMatchObject({ confirmed: false });
    const other = await claim({ ...grant, tombstoneId: uuidv7(new Date()) });
    expect(other).toMatchObject({ confirmed: false });
    const stranger = await claim({ ...grant, fragmentId: uuidv7(new Date()) });
    expect(stranger).toMatchObject({ confirmed: false });
    // Nobody reports it: the very same grant is sent again.
    const repeats = await until(() => grants.filter((each) => each.fragmentId === fragmentId), {
      is: (all) => all.length > 2,
    });
    expect(new Set(repeats.map(({ tombstoneId }) => tombstoneId)).size).toBe(1);
    const { image: granted } = await maker.operator.call(catalogImage, { imageId });
    expect(granted.leaving).toEqual({ state: 'DELETING', until: null });
    const late = maker.operator.call(imageUndelete, { imageId });
    await expect(late).rejects.toMatchObject({ status: 227 });
    await report(grant);
    await report(grant);
    expect(await statesOf(imageId)).toEqual(['DELETED']);
    expect(await copyStates(imageId)).toEqual(['DELETED']);
    const { image } = await maker.operator.call(catalogImage, { imageId });
    const leaving = { state: 'DELETED', until: null };
    expect(image).toMatchObject({ state: 'INCOMPLETE', copies: 0, fragments: 0, leaving });
    await until(() => deleted.includes(fragmentId));
    expect(deleted.filter((id) => id === fragmentId)).toHaveLength(1);
    // Its row stays, so a commit that comes again is one that was taken.
    const repeat = await maker.commit({ imageId, number: 1, fragmentId });
    expect(repeat.verdict).toBe('COMMITTED');
    expect(await statesOf(imageId)).toEqual(['DELETED']);
    expect((await claim(grant)).confirmed).toBe(true);
  });

  it('of a copy leaves the last good one, and takes no more fragments for it', async () => {
    const { imageId, others } = await duplicated(1);
    expect(await expire(imageId, { copy: 2 })).toEqual(['2 delete: another good copy remains']);
    expect(await expire(imageId, { copy: 1 })).toEqual([
      expect.stringMatching(/^1 keep: the last good copy of an image that expires /),
    ]);
    const place = { imageId, copy: 2, mediaId: OTHER_MEDIA, pool: OTHER_POOL };
    expect(await maker.commit({ ...place, number: 2 })).toMatchObject({ verdict: 'FENCED' });
    await maker.state(imageId, 'COMPLETE');
    await cluster.endGrace([imageId]);
    await report(await grantOf(others[0]!));
    expect(await copyStates(imageId)).toEqual(['COMPLETE', 'DELETED']);
    // Its number is free again, under a higher fence.
    const next = await maker.copyBegin(imageId);
    expect(next).toMatchObject({ copy: 2, copyAttempt: 3, missing: 1 });
  });

  it('is refused by a hold, and not granted while there is one', async () => {
    const { imageId, fragmentIds } = await maker.backup(1);
    const hold = (name: string, release = false) =>
      maker.operator.call(imageHold, { imageId, hold: name, reason: 'a trial', release });
    expect(await hold('trial')).toEqual({ holds: ['trial'] });
    expect(await hold('audit')).toEqual({ holds: ['audit', 'trial'] });
    await endTime(imageId);
    expect(await expire(imageId)).toEqual(['1 keep: on hold: audit, trial']);
    const { image } = await maker.operator.call(catalogImage, { imageId });
    expect(image.holds).toEqual(['audit', 'trial']);
    await hold('trial', true);
    expect(await hold('audit', true)).toEqual({ holds: [] });
    // Nothing keeps it any more: the timer marks it.
    await until(() => statesOf(imageId), { is: ([state]) => state === 'TO_BE_DELETED' });
    await hold('late');
    await cluster.endGrace([imageId]);
    const version = () =>
      cluster.database.query<unknown[]>('SELECT xmin FROM fragment WHERE image_id = $1', [imageId]);
    const before = await version();
    await new Promise((resolve) => setTimeout(resolve, 500));
    // However many rounds there were: nobody has written to it.
    expect(await version()).toEqual(before);
    expect(grants.some(({ fragmentId }) => fragmentId === fragmentIds[0])).toBe(false);
    // It is due again at once.
    await hold('late', true);
    await grantOf(fragmentIds[0]!);
  });

  it('waits for the job that reads', async () => {
    const { imageId, fragmentIds } = await maker.backup(1);
    const job = maker.nextJob();
    await maker.jobs.call(catalogPin, { job, imageIds: [imageId] });
    await endTime(imageId);
    expect(await expire(imageId)).toEqual(['1 keep: 1 running job reads it']);
    await maker.jobs.call(catalogUnpin, { job });
    await until(() => statesOf(imageId), { is: ([state]) => state === 'TO_BE_DELETED' });
    const late = maker.jobs.call(catalogPin, { job, imageIds: [imageId] });
    await expect(late).rejects.toMatchObject({ status: 229 });
    await cluster.endGrace([imageId]);
    await grantOf(fragmentIds[0]!);
  });

  it('ignores the pins of a job that is done, and only those', async () => {
    const { imageId } = await maker.backup(1);
    const [forgotten, running] = [maker.nextJob(), maker.nextJob()];
    for (const job of [forgotten, running]) {
      await maker.jobs.call(catalogPin, { job, imageIds: [imageId] });
    }
    done.add(forgotten);
    await until(() => expire(imageId, { dryRun: true, now: true }), {
      is: (decisions) => decisions.join().startsWith('1 keep: 1 running job reads it'),
    });
    done.add(running);
    await until(() => expire(imageId, { dryRun: true, now: true }), {
      is: (decisions) => decisions.join().startsWith('1 delete'),
    });
  });

  it('spares a copy that is being written', async () => {
    const { imageId } = await maker.backup(2);
    const { copy, copyAttempt: attempt } = await maker.copyBegin(imageId);
    const place = { imageId, copy, attempt, mediaId: OTHER_MEDIA, pool: OTHER_POOL };
    await maker.commit({ ...place, number: 1 });
    expect(await expire(imageId, { copy })).toEqual(['2 keep: a running job writes it']);
  });

  it('of a copy is undone where the other one was damaged meanwhile', async () => {
    const { imageId, fragmentIds, others } = await duplicated(2);
    await expire(imageId, { copy: 2 });
    await cluster.database.query(`UPDATE fragment SET state = 'DAMAGED' WHERE fragment_id = $1`, [
      fragmentIds[0],
    ]);
    await cluster.endGrace([imageId]);
    await until(() => copyStates(imageId), {
      is: (states) => states.join() === 'DEGRADED,COMPLETE',
    });
    expect(grants.some(({ fragmentId }) => others.includes(fragmentId))).toBe(false);
  });

  it('comes to refused fragments that nobody needs any more, and only then', async () => {
    const { imageId } = await maker.begin();
    const { fragmentId: held } = await maker.commit({ imageId, number: 1 });
    const late = await maker.commit({ imageId, number: 1 });
    expect(late.verdict).toBe('SUPERSEDED');
    // Nobody holds its number, and the image is needed: it stays in quarantine.
    const early = await maker.commit({ imageId, number: 2, attempt: 9 });
    expect(early.verdict).toBe('UNKNOWN_IMAGE');
    await until(() => statesOf(imageId), { is: (states) => states.join() === 'ACTIVE,DAMAGED' });
    // Offered again it is known, and that changes nothing.
    const again = await maker.commit({ imageId, number: 1, fragmentId: late.fragmentId });
    expect(again.verdict).toBe('COMMITTED');
    await expect(maker.operator.call(imageUndelete, { imageId })).rejects.toMatchObject({
      status: 227,
    });
    await cluster.endGrace([imageId]);
    const grant = await grantOf(late.fragmentId);
    expect(grant.reason).toBe('it was refused: SUPERSEDED');
    expect((await claim(grant)).confirmed).toBe(true);
    await report(grant);
    expect(await statesOf(imageId)).toEqual(['ACTIVE', 'DELETED']);
    expect(grants.some(({ fragmentId }) => fragmentId === held)).toBe(false);
    const [row] = await cluster.database.query<{ verdict: string }[]>(
      'SELECT verdict FROM refused_fragment WHERE fragment_id = $1',
      [early.fragmentId],
    );
    expect(row).toEqual({ verdict: 'UNKNOWN_IMAGE' });
  });

  it('waits, where the image is still needed, until what it keeps was compared', async () => {
    const { imageId, others } = await duplicated(1);
    await cluster.postgres.crash();
    await cluster.postgres.restart();
    await until(() => expire(imageId, { copy: 2 }).catch(() => []), {
      is: (decisions) => decisions.length > 0,
    });
    await cluster.endGrace([imageId]);
    // It steps aside when it was looked at: 256 like it would else be all that is ever looked at.
    await until(() => new Deletables(cluster.database).dueImages(new Date(), 256), {
      is: (due) => !due.includes(imageId),
    });
    expect(await statesOf(imageId, 2)).toEqual(['TO_BE_DELETED']);
    for (const each of catalogs) await cluster.compared(each);
    await cluster.endGrace([imageId]);
    await grantOf(others[0]!);
  });

  it('is counted in the state of the catalog', async () => {
    const state = await maker.operator.call(catalogState, {});
    expect(state.fragments).toMatchObject({
      ACTIVE: expect.any(Number),
      DELETED: expect.any(Number),
    });
    expect(state).toMatchObject({
      pins: 3,
      holds: 0,
      parked: 0,
      refused: { FENCED: 1, UNKNOWN_IMAGE: 1 },
    });
    expect(state.catalogEpoch).not.toBe('');
  });
});

function jobAnswer(job: number, state: JobView['state']): ResponseOf<typeof jobsGet> {
  const nobody = { policy: '', schedule: '', client: '', kind: null, imageId: null };
  const nowhere = { storage: null, mediaId: null, operation: '', message: '' };
  const counts = {
    currentPath: '',
    files: 0,
    bytes: 0,
    storedBytes: 0,
    waitedForEmpty: 0,
    waitedForFull: 0,
  };
  return jobsGet.response.parse({
    job: {
      ...{ job, type: 'restore', state, status: null, statusText: '', ...nobody, ...nowhere },
      ...{ attempt: 1, retryAt: null, startedAt: null, endedAt: null },
      createdAt: '2026-01-01T00:00:00.000Z',
      progress: { ...counts, fragments: 0, fragmentsTotal: 0 },
    },
    ...{ log: [], logLines: 0 },
  });
}
