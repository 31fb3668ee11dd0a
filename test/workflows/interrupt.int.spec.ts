import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

import type { JobView } from '#contracts/job.js';
import { imagesOf, jobOf } from '../cluster/cluster-cli.js';
import { TestCluster } from '../cluster/cluster.js';
import { makeNoiseTree } from '../cluster/noise-tree.js';
import { until } from '../support/until.js';
import { compareTrees } from '../support/compare-trees.js';

const MIB = 2 ** 20;
const CANCEL_MS_MAX = 5_000;

let cluster: TestCluster;
let tree: string;
let many: string;

beforeAll(async () => {
  cluster = await TestCluster.start();
  tree = cluster.path('tree');
  makeNoiseTree(tree, { files: 50, bytesEach: MIB, compressible: true });
  many = cluster.path('many');
  // So many that a restore is still at work when it is cancelled, on a quick machine, too.
  makeNoiseTree(many, { files: 60_000, bytesEach: 500 });
});
afterAll(() => cluster?.stop());

async function jobNumber(job: number): Promise<JobView> {
  return (await cluster.ask<{ job: JobView }>('jobs.get', { job })).job;
}

async function submitted(...args: readonly string[]): Promise<number> {
  return ((await cluster.cli(...args, '--no-wait')).json as { job: number }).job;
}

async function untilItMoves(job: number): Promise<void> {
  await until(
    async () => {
      const { state, progress } = await jobNumber(job);
      expect(state).not.toBe('done');
      return progress.bytes > 0 || progress.storedBytes > 0;
    },
    { what: `job ${job} to move bytes` },
  );
}

async function expectCancelled(job: number): Promise<void> {
  const began = performance.now();
  expect(await cluster.cli('jobs', 'cancel', String(job))).toMatchObject({ exitCode: 0 });
  await until(async () => (await jobNumber(job)).state === 'done', {
    what: `job ${job} to be cancelled`,
    ms: CANCEL_MS_MAX,
  });
  console.log(`Job ${job} was cancelled in ${((performance.now() - began) / 1e3).toFixed(1)} s.`);
  expect(await jobNumber(job)).toMatchObject({ status: 150 });
  const { allocations } = await cluster.ask<{ allocations: unknown[] }>('broker.allocations');
  expect(allocations).toEqual([]);
}

describe('`holdfast jobs cancel`', () => {
  it('ends a backup with 150; its image is not complete, and the next backup works', async () => {
    const job = await submitted('backup', '--level', '19', tree);
    await untilItMoves(job);
    await expectCancelled(job);
    expect(imagesOf(await cluster.cli('images'))[0]).toMatchObject({ state: 'INCOMPLETE' });
    expect(jobOf(await cluster.cli('backup', tree))).toMatchObject({ status: 0 });
  });

  it('ends a restore with 150; the same restore then works', async () => {
    const backup = jobOf(await cluster.cli('backup', many));
    const to = cluster.path('restored');
    const job = await submitted('restore', backup.imageId!, '--to', to);
    await untilItMoves(job);
    await expectCancelled(job);
    const again = cluster.path('restored-again');
    const restore = await cluster.cli('restore', backup.imageId!, '--to', again);
    expect(restore).toMatchObject({ exitCode: 0 });
    expect(await compareTrees(many, join(again, many))).toEqual([]);
  });

  it('is harmless for a job that is done', async () => {
    const job = jobOf(await cluster.cli('backup', '/etc/hostname'));
    expect(await cluster.cli('jobs', 'cancel', String(job.job))).toMatchObject({ exitCode: 0 });
    expect(await jobNumber(job.job)).toMatchObject({ status: 0 });
  });
});

describe('ctrl-C', () => {
  it('to a waiting backup lets the job go on', async () => {
    const running = cluster.startCli('backup', '--level', '19', tree);
    await until(() => running.records().length > 0, { what: 'the job to begin' });
    running.signal('SIGINT');
    const result = await running.end();
    expect(result.exitCode).toBe(130);
    const { type, job } = result.json as { type: string; job: number };
    expect(type).toBe('detached');
    expect(await jobNumber(job)).toMatchObject({ status: null });
    await expectCancelled(job);
  });

  it('to a waiting restore cancels it and says what is left', async () => {
    const backup = jobOf(await cluster.cli('backup', many));
    const to = cluster.path('interrupted');
    const running = cluster.startCli('restore', backup.imageId!, '--to', to);
    const moves = (record: unknown) => (record as { job: JobView }).job.progress.files > 0;
    await until(() => running.records().some(moves), { what: 'the restore to begin' });
    running.signal('SIGINT');
    const result = await running.end();
    expect(result.exitCode).toBe(130);
    expect(jobOf(result)).toMatchObject({ state: 'done', status: 150 });
    expect(result.stdout + result.stderr).not.toMatch(/\n\s+at \S/);
  });

  it('to a command that waits for several jobs lets all of them go on, and names them', async () => {
    const backups = [await cluster.cli('backup', tree), await cluster.cli('backup', tree)];
    const images = backups.map((backup) => jobOf(backup).imageId!);
    const media = cluster.pid('media');
    process.kill(media, 'SIGSTOP');
    try {
      const running = cluster.startCli('image', 'verify', ...images);
      await until(() => running.records().length > 0, { what: 'the jobs to be submitted' });
      running.signal('SIGINT');
      const result = await running.end();
      expect(result.exitCode).toBe(130);
      const left = running.records().filter((one) => (one as { type: string }).type === 'detached');
      expect(left).toHaveLength(images.length);
    } finally {
      process.kill(media, 'SIGCONT');
    }
  });

  it('to `holdfast up` in the middle of a backup leaves no process and frees the folder', async () => {
    const file = cluster.path('file');
    writeFileSync(file, 'text\n');
    await untilItMoves(await submitted('backup', '--level', '19', tree));
    const ended = await cluster.interrupt();
    expect(ended).toMatchObject({ exitCode: 0, said: expect.stringContaining('Stopped.') });
    expect(ended.said).not.toMatch(/\n\s+at \S/);
    expect(cluster.processes()).toEqual([]);
    await cluster.restart();
    expect(jobOf(await cluster.cli('backup', file))).toMatchObject({ status: 0 });
  });
});
