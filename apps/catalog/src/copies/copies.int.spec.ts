import { beforeAll, describe, expect, it } from '@jest/globals';
import {
  catalogCopies,
  catalogFragmentSources,
  catalogPin,
  catalogUnpin,
} from '#contracts/catalog/copy.js';
import { catalogChain, catalogFragments, catalogImage, imageAbandon } from '#contracts/image.js';
import { until } from '../../../../test/support/until.js';
import { OTHER_MEDIA } from '../testing/catalog-harness.js';
import { MEDIA } from '../testing/commit.js';
import { OTHER_POOL, PIECE_BYTES } from '../testing/image-maker.js';
import { useCatalog } from '../testing/use-catalog.js';

const { cluster, maker } = await useCatalog();
await cluster.startCatalog();

describe('copies', () => {
  const completed: string[] = [];

  beforeAll(async () => {
    const observer = (await cluster.connect('observer')).connection;
    observer.subscribe('hf.evt.v1.copy.completed.>', {
      callback: (_, message) => {
        const { data } = message.json<{ data: { imageId: string; copy: number } }>();
        completed.push(`${data.imageId}/${data.copy}`);
      },
    });
    await observer.flush();
  });

  async function copiesOf(imageId: string) {
    return (await maker.operator.call(catalogCopies, { imageId })).copies;
  }

  async function statesOf(imageId: string) {
    return (await copiesOf(imageId)).map(({ state }) => state);
  }

  function sourcesOf(imageId: string, missingIn?: number) {
    return maker.operator
      .call(catalogFragmentSources, { imageId, missingIn })
      .then(({ fragments }) =>
        fragments.map(({ number, sources }) => [number, ...sources.map(({ copy }) => copy)]),
      );
  }

  async function damage(fragmentId: string): Promise<void> {
    await cluster.database.query(`UPDATE fragment SET state = 'DAMAGED' WHERE fragment_id = $1`, [
      fragmentId,
    ]);
  }

  it('are made fragment by fragment, and complete when all are there: once', async () => {
    const { imageId } = await maker.backup(3);
    const job = maker.nextJob();
    const begun = await maker.copyBegin(imageId, { job });
    expect(begun).toMatchObject({
      ...{ copy: 2, copyAttempt: 1, fragments: 3, missing: 3, sources: [MEDIA] },
      ...{ client: 'web1', policy: 'files', kind: 'full' },
      details: { schedule: 's', retention: '14d', selections: ['/etc'], baseImageId: null },
    });
    expect(await maker.copyBegin(imageId, { job })).toEqual(begun);
    const place = { imageId, copy: 2, mediaId: OTHER_MEDIA, pool: OTHER_POOL };
    const finish = () => maker.copyFinish({ imageId, copy: 2, copyAttempt: 1 });
    expect(await maker.commit({ ...place, number: 1 })).toMatchObject({ verdict: 'COMMITTED' });
    await maker.commit({ ...place, number: 3 });
    expect(await finish()).toEqual({
      complete: false,
      waitsFor: 'the commit of fragment 2 of 3',
    });
    expect(await statesOf(imageId)).toEqual(['COMPLETE', 'IN_PROCESS']);
    expect(await sourcesOf(imageId, 2)).toEqual([[2, 1]]);
    await maker.commit({ ...place, number: 2 });
    expect(await finish()).toEqual({ complete: true, waitsFor: '' });
    expect(await finish()).toEqual({ complete: true, waitsFor: '' });
    expect(await statesOf(imageId)).toEqual(['COMPLETE', 'COMPLETE']);
    const [first, second] = await copiesOf(imageId);
    expect(first).toMatchObject({ pinned: 3, pool: 'default', mediaId: MEDIA, job: job - 1 });
    expect(second).toMatchObject({ pinned: 0, fragments: 3, storedBytes: 1_500, job });
    expect(await sourcesOf(imageId)).toEqual([
      [1, 1, 2],
      [2, 1, 2],
      [3, 1, 2],
    ]);
    expect(await sourcesOf(imageId, 2)).toEqual([]);
    const chain = await maker.jobs.call(catalogChain, { imageId, exact: false });
    const both = [MEDIA, OTHER_MEDIA];
    expect(chain.images).toEqual([{ imageId, kind: 'full', media: both, anyOf: [both] }]);
    const { image } = await maker.operator.call(catalogImage, { imageId });
    expect(image).toMatchObject({ copies: 2, fragments: 3, storedBytes: 1_500 });
    const mine = () => completed.filter((each) => each.startsWith(imageId));
    await until(() => mine().length > 0);
    expect(mine()).toEqual([`${imageId}/2`]);
  });

  it('complete without anybody asking, when their last fragment comes late', async () => {
    const { imageId } = await maker.backup(1);
    await maker.copyBegin(imageId);
    await maker.commit({
      ...{ imageId, copy: 2, number: 1, mediaId: OTHER_MEDIA, pool: OTHER_POOL },
    });
    await until(() => completed.includes(`${imageId}/2`));
  });

  it('go on where they were, under a higher fence for each attempt', async () => {
    const { imageId } = await maker.backup(2);
    const job = maker.nextJob();
    await maker.copyBegin(imageId, { job });
    const place = { imageId, copy: 2, mediaId: OTHER_MEDIA, pool: OTHER_POOL };
    await maker.commit({ ...place, number: 1, attempt: 1 });
    const again = await maker.copyBegin(imageId, { job, attempt: 2 });
    expect(again).toMatchObject({ copy: 2, copyAttempt: 2, fragments: 2, missing: 1 });
    const late = await maker.commit({ ...place, number: 2, attempt: 1 });
    expect(late.verdict).toBe('FENCED');
    await expect(maker.copyBegin(imageId, { job, attempt: 1 })).rejects.toMatchObject({
      status: 229,
      message: expect.stringContaining('is over'),
    });
    const old = maker.copyFinish({ imageId, copy: 2, copyAttempt: 1 });
    await expect(old).rejects.toMatchObject({ status: 229 });
    await maker.jobs.call(catalogUnpin, { job });
    expect(await statesOf(imageId)).toEqual(['COMPLETE', 'INCOMPLETE']);
    // Another job finds the unfinished copy and ends it.
    const other = await maker.copyBegin(imageId);
    expect(other).toMatchObject({ copy: 2, copyAttempt: 3, missing: 1 });
    const last = await maker.commit({ ...place, number: 2, attempt: 3 });
    expect(last.verdict).toBe('COMMITTED');
    expect(await statesOf(imageId)).toEqual(['COMPLETE', 'COMPLETE']);
  });

  it('of a running job are left alone: another one makes its own', async () => {
    const { imageId } = await maker.backup(1);
    await maker.copyBegin(imageId);
    expect(await maker.copyBegin(imageId)).toMatchObject({ copy: 3 });
    const job = maker.nextJob();
    const stolen = maker.copyBegin(imageId, { job, copy: 2 });
    await expect(stolen).rejects.toMatchObject({ status: 229 });
  });

  it('are refused where they make no sense, with what to do', async () => {
    const { imageId } = await maker.backup(1);
    await expect(maker.copyBegin(imageId, { pool: 'default' })).rejects.toMatchObject({
      status: 226,
      message: `Image ${imageId} already has a complete copy 1 in pool default.`,
    });
    await expect(maker.copyBegin(imageId, { copy: 2 })).rejects.toMatchObject({ status: 227 });
    await expect(maker.copyBegin('nobody_1')).rejects.toMatchObject({ status: 227 });
    const { imageId: unfinished } = await maker.begin();
    await expect(maker.copyBegin(unfinished)).rejects.toMatchObject({
      status: 229,
      message: expect.stringContaining('is not complete (IN_PROCESS)'),
    });
    for (let copy = 2; copy <= 10; copy += 1) {
      await maker.copyBegin(imageId, { pool: `pool${copy}` });
    }
    await expect(maker.copyBegin(imageId)).rejects.toMatchObject({
      status: 229,
      message: expect.stringContaining('has 10 copies'),
    });
  });

  it('that are damaged are repaired from the others, and the image stays complete', async () => {
    const { imageId, fragmentIds } = await maker.backup(3);
    const { job } = await maker.duplicate(imageId);
    await maker.jobs.call(catalogUnpin, { job });
    await damage(fragmentIds[1]!);
    expect(await statesOf(imageId)).toEqual(['DEGRADED', 'COMPLETE']);
    expect((await maker.operator.call(catalogImage, { imageId })).image.state).toBe('COMPLETE');
    expect(await sourcesOf(imageId)).toEqual([
      [1, 2, 1],
      [2, 2, 1],
      [3, 2, 1],
    ]);
    const repair = { copy: 1, pool: 'default', mediaId: MEDIA };
    const begun = await maker.copyBegin(imageId, repair);
    expect(begun).toMatchObject({
      ...{ copy: 1, copyAttempt: 2, missing: 1, sources: [OTHER_MEDIA] },
    });
    expect(await sourcesOf(imageId, 1)).toEqual([[2, 2]]);
    const fixed = await maker.commit({ imageId, number: 2, attempt: 2 });
    expect(fixed.verdict).toBe('COMMITTED');
    const end = { imageId, copy: 1, copyAttempt: 2 };
    expect(await maker.copyFinish(end)).toMatchObject({ complete: true });
    expect(await statesOf(imageId)).toEqual(['COMPLETE', 'COMPLETE']);
    await until(() => completed.includes(`${imageId}/1`));
    const shown = async (all: boolean) => {
      const page = await maker.operator.call(catalogFragments, { imageId, all, limit: 2 });
      return page.fragments.map(({ number, state }) => `${number} ${state}`);
    };
    expect(await shown(false)).toEqual(['1 ACTIVE', '2 ACTIVE']);
    expect((await shown(true)).sort()).toEqual(['1 ACTIVE', '2 ACTIVE', '2 DAMAGED']);
  });

  it('keep an image complete together, and a damaged one readable', async () => {
    const { imageId, fragmentIds } = await maker.backup(2);
    const { job, fragmentIds: others } = await maker.duplicate(imageId);
    await maker.jobs.call(catalogUnpin, { job });
    await damage(fragmentIds[0]!);
    await damage(others[1]!);
    expect(await statesOf(imageId)).toEqual(['DEGRADED', 'DEGRADED']);
    expect((await maker.operator.call(catalogImage, { imageId })).image.state).toBe('COMPLETE');
    await damage(fragmentIds[1]!);
    const { image } = await maker.operator.call(catalogImage, { imageId });
    expect(image.state).toBe('INCOMPLETE');
    // What is damaged comes last, for what of it can still be read.
    expect(await sourcesOf(imageId)).toEqual([
      [1, 2, 1],
      [2, 1, 2],
    ]);
    expect(await sourcesOf(imageId, 1)).toEqual([[1, 2], [2]]);
    const chain = await maker.jobs.call(catalogChain, { imageId, exact: true });
    expect(chain.images).toMatchObject([{ imageId, media: [OTHER_MEDIA] }]);
    const reader = { job: maker.nextJob(), imageIds: [imageId] };
    expect(await maker.jobs.call(catalogPin, reader)).toEqual({ fragments: 1 });
    await damage(others[0]!);
    const repair = maker.copyBegin(imageId, { copy: 2 });
    await expect(repair).rejects.toMatchObject({ status: 165 });
  });

  it('must fit the image: other archive bytes are CORRUPT', async () => {
    const { imageId } = await maker.backup(1);
    await maker.copyBegin(imageId);
    const place = { imageId, copy: 2, number: 1, mediaId: OTHER_MEDIA, pool: OTHER_POOL };
    const wrong = await maker.commit({ ...place, archiveBytes: PIECE_BYTES + 1 });
    expect(wrong.verdict).toBe('CORRUPT');
    expect((await maker.commit(place)).verdict).toBe('COMMITTED');
  });

  it('are pinned and unpinned as often as a job asks', async () => {
    const { imageId } = await maker.backup(2);
    const [job, other] = [maker.nextJob(), maker.nextJob()];
    for (const each of [job, job, other]) {
      const pinned = await maker.jobs.call(catalogPin, { job: each, imageIds: [imageId] });
      expect(pinned).toEqual({ fragments: 2 });
    }
    const unknown = { job, imageIds: [imageId, 'nobody_1'] };
    await expect(maker.jobs.call(catalogPin, unknown)).rejects.toMatchObject({ status: 227 });
    expect(await maker.jobs.call(catalogUnpin, { job })).toEqual({ fragments: 2 });
    expect(await maker.jobs.call(catalogUnpin, { job })).toEqual({ fragments: 0 });
    expect(await copiesOf(imageId)).toMatchObject([{ pinned: 2 }]);
  });

  it('of an abandoned backup are INCOMPLETE', async () => {
    const { imageId } = await maker.begin({ job: 9_001 });
    await maker.commit({ imageId, number: 1 });
    expect(await statesOf(imageId)).toEqual(['IN_PROCESS']);
    await maker.jobs.call(imageAbandon, { imageId, job: 9_001 });
    expect(await statesOf(imageId)).toEqual(['INCOMPLETE']);
  });
});
