import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from '@jest/globals';
import { catalogBackup, catalogRestore } from '#contracts/catalog/care.js';
import { catalogFragments } from '#contracts/image.js';
import { useCatalog } from '../testing/use-catalog.js';

const folder = await mkdtemp(join(tmpdir(), 'holdfast-forgotten-'));
const { maker } = await useCatalog({ HOLDFAST_CATALOG_BACKUP_FOLDER: folder });
afterAll(() => rm(folder, { recursive: true, force: true }));

describe('a catalog that has forgotten attempts which it granted', () => {
  const backup = async () => (await maker.operator.call(catalogBackup, {})).path;
  const restore = (path: string) => maker.operator.call(catalogRestore, { path, confirm: true });

  it('takes what the last of them offers, and nothing of the ones before', async () => {
    const job = maker.nextJob();
    const { imageId } = await maker.begin({ job });
    const path = await backup();
    await maker.begin({ job, attempt: 2 });
    expect(await maker.begin({ job, attempt: 3 })).toMatchObject({ copyAttempt: 3 });
    await restore(path);
    const late = { imageId, number: 1, attempt: 3 };
    expect(await maker.commit(late)).toMatchObject({ verdict: 'COMMITTED' });
    expect(await maker.commit({ ...late, number: 2, attempt: 2 })).toMatchObject({
      verdict: 'FENCED',
    });
    expect(await maker.finish(imageId, 1, 3)).toMatchObject({ waitsFor: expect.anything() });
    await maker.state(imageId, 'COMPLETE');
  });

  it('takes nothing of them once it has granted another, however often it was put back', async () => {
    const job = maker.nextJob();
    const { imageId } = await maker.begin({ job });
    const path = await backup();
    await maker.begin({ job, attempt: 2 });
    await restore(path);
    const { copyAttempt: second } = await maker.begin({ job, attempt: 3 });
    await new Promise((resolve) => setTimeout(resolve, 1_100));
    await restore(path);
    const { copyAttempt } = await maker.begin({ job, attempt: 4 });
    for (const attempt of [2, second]) {
      const { verdict } = await maker.commit({ imageId, number: 1, attempt });
      expect(verdict).toBe('FENCED');
    }
    const last = await maker.commit({ imageId, number: 1, attempt: copyAttempt });
    expect(last.verdict).toBe('COMMITTED');
    const { fragments } = await maker.operator.call(catalogFragments, { imageId });
    expect(fragments.map(({ fragmentId }) => fragmentId)).toEqual([last.fragmentId]);
  });

  it('does not believe in a higher attempt while it cannot have forgotten any', async () => {
    const { imageId } = await maker.begin();
    const { verdict } = await maker.commit({ imageId, number: 1, attempt: 7 });
    expect(verdict).toBe('UNKNOWN_IMAGE');
  });
});
