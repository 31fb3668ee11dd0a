import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

import type { CopyView } from '#contracts/catalog/copy.js';
import type { JobView } from '#contracts/job.js';
import { jobOf, logOf, recordsOf, type CliResult } from '../cluster/cluster-cli.js';
import { TestCluster } from '../cluster/cluster.js';
import { makeNoiseTree } from '../cluster/noise-tree.js';
import { until } from '../support/until.js';
import { compareTrees } from '../support/compare-trees.js';
import { removeFolder, temporaryFolder } from '../support/temporary-folder.js';

const MIB = 2 ** 20;

let cluster: TestCluster;
let tree: string;
let imageId: string;
let volume: string;

beforeAll(async () => {
  volume = await temporaryFolder();
  cluster = await TestCluster.start({
    args: ['--media-server', `far:offsite=${volume}`],
    env: { HOLDFAST_SILENCE_MS_MAX: '5000', HOLDFAST_RETRY_FIRST_MS: '500' },
  });
  const units = { default: ['media1', 'main'], remote: ['far', 'offsite'] };
  for (const [name, [mediaId, pool]] of Object.entries(units)) {
    const file = cluster.path(`${name}.json`);
    writeFileSync(file, JSON.stringify({ name, mediaId, pool, fragmentBytesMax: 4 * MIB }));
    expect(await cluster.cli('unit', 'put', '-f', file)).toMatchObject({ exitCode: 0 });
  }
  tree = cluster.path('tree');
  // Enough that a copy takes longer than it takes to see that it has begun and to kill it.
  makeNoiseTree(tree, { files: 300, bytesEach: MIB });
  imageId = jobOf(await cluster.cli('backup', tree)).imageId!;
});
afterAll(async () => {
  await cluster?.stop();
  if (volume) await removeFolder(volume);
});

async function copies(): Promise<CopyView[]> {
  return (await cluster.ask<{ copies: CopyView[] }>('catalog.copies', { imageId })).copies;
}

async function jobNumber(job: number): Promise<JobView> {
  return (await cluster.ask<{ job: JobView }>('jobs.get', { job })).job;
}

async function logOfJob(job: number): Promise<string> {
  return logOf(await cluster.cli('jobs', 'show', String(job))).join('\n');
}

describe('a duplication', () => {
  let job: number;

  it('whose media server is killed goes on in the same job, behind what is committed', async () => {
    const duplicate = ['image', 'duplicate', imageId, '--to', 'offsite', '--no-wait'];
    ({ job } = (await cluster.cli(...duplicate)).json as { job: number });
    await until(async () => (await jobNumber(job)).progress.fragments > 2, {
      what: 'some fragments to be there',
    });
    await cluster.killProcess('media-far');
    expect(await jobNumber(job)).toMatchObject({ state: 'active' });
    await until(async () => (await jobNumber(job)).state === 'done', {
      what: 'the duplication to end',
      ms: 120_000,
    });
    const ended = await jobNumber(job);
    expect(ended).toMatchObject({ status: 0, type: 'duplicate', storage: 'offsite', attempt: 2 });
    const log = await logOfJob(job);
    const there = /going on with copy 2 of image \S+: (\d+) of (\d+) fragments are there/.exec(log);
    const [had, all] = [Number(there?.[1]), Number(there?.[2])];
    expect(had).toBeGreaterThan(2);
    // The one that was cut is written twice, and no other.
    expect(log.match(/^end writing; write time/gm)?.length).toBeLessThanOrEqual(all);
    for (const line of [
      'begin Duplicate',
      'requesting resource offsite',
      'granted resource MediaID=far;DiskPool=offsite;',
      'Initiating optimized duplication from @media1/main to @far/offsite',
      'drained: every sealed fragment is committed',
      'end Duplicate; elapsed time',
    ]) {
      expect(log).toContain(line);
    }
  });

  it('makes a copy that is as good as the first one, and holds nothing any more', async () => {
    const [first, second] = await copies();
    expect([first, second]).toMatchObject([
      { copy: 1, state: 'COMPLETE', mediaId: 'media1', pinned: 0 },
      { copy: 2, state: 'COMPLETE', mediaId: 'far', pool: 'offsite', pinned: 0, job },
    ]);
    expect(second?.fragments).toBe(first?.fragments);
    const verified = jobOf(await cluster.cli('image', 'verify', imageId));
    expect(verified).toMatchObject({ type: 'verify', status: 0 });
    expect(verified.progress.fragments).toBe(2 * first!.fragments);
    const to = cluster.path('restored');
    expect(await cluster.cli('restore', imageId, '--to', to)).toMatchObject({ exitCode: 0 });
    expect(await compareTrees(tree, join(to, tree))).toEqual([]);
    expect(await copies()).toMatchObject([{ pinned: 0 }, { pinned: 0 }]);
  });

  it('into a pool that nobody has is refused, and says what to do', async () => {
    const result = await cluster.cli('image', 'duplicate', imageId, '--to', 'nowhere');
    expect(jobOf(result)).toMatchObject({ status: 213 });
    expect(jobOf(result).message).toContain('holdfast unit put');
  });

  it('and a verification are asked for of several images at once, each once', async () => {
    const small = cluster.path('small');
    makeNoiseTree(small, { files: 2, bytesEach: 1_000 });
    const one = jobOf(await cluster.cli('backup', small)).imageId!;
    const other = jobOf(await cluster.cli('backup', small)).imageId!;
    const made = await cluster.cli('image', 'duplicate', one, other, one, '--to', 'offsite');
    expect(made).toMatchObject({ exitCode: 0 });
    expect(results(made)).toMatchObject([
      { imageId: one, status: 0 },
      { imageId: other, status: 0 },
    ]);
    const verified = await cluster.cli('image', 'verify', one, 'nobody_1', other);
    expect(verified).toMatchObject({ exitCode: 2 });
    expect(results(verified)).toMatchObject([
      { imageId: one, status: 0, progress: { fragments: 2 } },
      { imageId: 'nobody_1', status: 227 },
      { imageId: other, status: 0, progress: { fragments: 2 } },
    ]);
    const refused = await cluster.cli('image', 'verify', one, 'no image');
    expect(refused).toMatchObject({ exitCode: 64 });
    const submitted = await cluster.cli('image', 'verify', one, other, '--no-wait');
    expect(recordsOf(submitted)).toEqual([
      { job: expect.any(Number) },
      { job: expect.any(Number) },
    ]);
  });
});

/** The jobs that a command waited for, as they ended. */
function results(said: CliResult): JobView[] {
  const records = recordsOf(said) as { type: string; job: JobView }[];
  return records.filter(({ type }) => type === 'result').map(({ job }) => job);
}
