import { describe, expect, it } from '@jest/globals';
import { catalogFiles, catalogFragments, catalogImage } from '#contracts/image.js';
import { until } from '../../../test/support/until.js';
import { PIECE_BYTES } from './testing/image-maker.js';
import { useCatalog } from './testing/use-catalog.js';

const { cluster, maker } = await useCatalog();

describe('a later attempt of a backup', () => {
  it('goes on behind what is committed, in the same image', async () => {
    const job = maker.nextJob();
    const first = await maker.begin({ job });
    expect(first).toMatchObject({ nextNumber: 1, archiveOffset: 0 });
    const { imageId } = first;
    await maker.commit({ imageId, number: 1 });
    await maker.commit({ imageId, number: 2 });
    const second = await maker.begin({ job, attempt: 2 });
    expect(second).toMatchObject({
      ...{ imageId, copyAttempt: 2, nextNumber: 3, archiveOffset: 2 * PIECE_BYTES },
    });
    expect(await maker.begin({ job, attempt: 2 })).toEqual(second);
    expect(await maker.commit({ imageId, number: 3 })).toMatchObject({ verdict: 'FENCED' });
    await maker.commit({ imageId, number: 3, attempt: 2 });
    await maker.finish(imageId, 3, 2);
    await maker.state(imageId, 'COMPLETE');
    // What is finished stays as it is.
    const third = await maker.begin({ job, attempt: 3, fresh: true });
    expect(third).toMatchObject({ imageId, copyAttempt: 2, nextNumber: 4 });
    const { image } = await maker.operator.call(catalogImage, { imageId });
    expect(image.state).toBe('COMPLETE');
  });

  it('gets a new image where the agent cannot go on, and the old one is fenced', async () => {
    const job = maker.nextJob();
    const { imageId } = await maker.begin({ job });
    await maker.commit({ imageId, number: 1 });
    const fresh = await maker.begin({ job, attempt: 2, fresh: true });
    expect(fresh).toMatchObject({ copyAttempt: 1, nextNumber: 1, archiveOffset: 0 });
    expect(fresh.imageId).not.toBe(imageId);
    expect((await maker.begin({ job, attempt: 2, fresh: true })).imageId).toBe(fresh.imageId);
    expect(await maker.commit({ imageId, number: 2 })).toMatchObject({ verdict: 'FENCED' });
    const { image } = await maker.operator.call(catalogImage, { imageId });
    expect(image).toMatchObject({ state: 'INCOMPLETE', fragments: 1 });
    expect(await maker.begin({ job, attempt: 3 })).toMatchObject({
      ...{ imageId: fresh.imageId, copyAttempt: 2 },
    });
  });

  it('writes a gap and what lies behind it anew, in the file index too', async () => {
    const job = maker.nextJob();
    const { imageId } = await maker.begin({ job });
    await maker.commit({ imageId, number: 1 });
    const { fragmentId: astray } = await maker.commit({ imageId, number: 3 });
    const files = async () =>
      (await maker.operator.call(catalogFiles, { imageId })).files.map(({ path }) => path);
    await until(files, { is: (paths) => paths.length === 2 });
    const second = await maker.begin({ job, attempt: 2 });
    expect(second).toMatchObject({ nextNumber: 2, archiveOffset: PIECE_BYTES });
    for (const number of [2, 3]) {
      const place = { imageId, number, attempt: 2 };
      expect(await maker.commit(place)).toMatchObject({ verdict: 'COMMITTED' });
    }
    await maker.finish(imageId, 3, 2);
    await maker.state(imageId, 'COMPLETE');
    expect(await files()).toEqual(['/etc/file-1', '/etc/file-2', '/etc/file-3']);
    const { fragments } = await maker.operator.call(catalogFragments, { imageId, all: true });
    const old = fragments.find(({ fragmentId }) => fragmentId === astray);
    expect(old).toMatchObject({
      state: 'DAMAGED',
      stateReason: 'a later attempt of its backup went on in front of it',
      deletableAt: expect.any(String),
    });
  });

  it('forgets the file index of what was damaged where it goes on', async () => {
    const job = maker.nextJob();
    const { imageId } = await maker.begin({ job });
    await maker.commit({ imageId, number: 1 });
    const { fragmentId } = await maker.commit({ imageId, number: 2 });
    const files = async () =>
      (await maker.operator.call(catalogFiles, { imageId })).files.map(({ path }) => path);
    await until(files, { is: (paths) => paths.length === 2 });
    await cluster.database.query(`UPDATE fragment SET state = 'DAMAGED' WHERE fragment_id = $1`, [
      fragmentId,
    ]);
    expect(await maker.begin({ job, attempt: 2 })).toMatchObject({ nextNumber: 2 });
    await until(files, { is: (paths) => paths.join() === '/etc/file-1' });
    await maker.commit({ imageId, number: 2, attempt: 2 });
    await maker.finish(imageId, 2, 2);
    await maker.state(imageId, 'COMPLETE');
    expect(await files()).toEqual(['/etc/file-1', '/etc/file-2']);
  });
});
