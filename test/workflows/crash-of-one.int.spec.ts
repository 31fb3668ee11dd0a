import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

import type { JobView } from '#contracts/job.js';
import { imagesOf, jobOf } from '../cluster/cluster-cli.js';
import { TestCluster, type ClusterProcess } from '../cluster/cluster.js';
import { makeNoiseTree } from '../cluster/noise-tree.js';
import { until } from '../cluster/until.js';
import { compareTrees } from '../support/compare-trees.js';

const MIB = 2 ** 20;
/** A participant that is silent for so long has died; the test does not wait 30 s for that. */
const SILENCE_MS = 5_000;

let cluster: TestCluster;
let tree: string;

beforeAll(async () => {
  cluster = await TestCluster.start({ env: { HOLDFAST_SILENCE_MS_MAX: String(SILENCE_MS) } });
  tree = cluster.path('tree');
  makeNoiseTree(tree, { files: 100, bytesEach: MIB });
});
afterAll(() => cluster?.stop());

async function jobNumber(job: number): Promise<JobView> {
  return (await cluster.ask<{ job: JobView }>('jobs.get', { job })).job;
}

/** A slow backup of which some has been stored. */
async function backupInTheMiddle(): Promise<number> {
  const { job } = (await cluster.cli('backup', '--level', '19', '--no-wait', tree)).json as {
    job: number;
  };
  await until(async () => (await jobNumber(job)).progress.storedBytes > MIB, {
    what: 'the backup to have stored something',
  });
  expect(await jobNumber(job)).toMatchObject({ state: 'active' });
  return job;
}

async function expectNextBackupToWork(): Promise<void> {
  const next = jobOf(await cluster.cli('backup', tree));
  expect(next).toMatchObject({ status: 0 });
  const to = cluster.path(`restored-${next.job}`);
  expect(await cluster.cli('restore', next.imageId!, '--to', to)).toMatchObject({ exitCode: 0 });
  expect(await compareTrees(tree, join(to, tree))).toEqual([]);
}

describe.each<[ClusterProcess, readonly number[]]>([
  // 82: it fell silent; 40: the agent saw its connection break.
  ['media', [40, 82]],
  // 50: it fell silent; 40: the media server saw its connection break.
  ['agent', [40, 50]],
])('SIGKILL for the %s alone in the middle of a backup', (name, statuses) => {
  it('ends that job in time; the process is back, and the next backup works', async () => {
    const job = await backupInTheMiddle();
    const pid = cluster.pid(name);
    await cluster.killProcess(name);
    await until(async () => (await jobNumber(job)).state === 'done', {
      what: 'the job to end',
      ms: 2 * SILENCE_MS + 30_000,
    });
    const ended = await jobNumber(job);
    expect(statuses).toContain(ended.status);
    expect(ended.message).not.toBe('');
    const image = imagesOf(await cluster.cli('images')).find(
      (one) => one.imageId === ended.imageId,
    );
    expect(image).toMatchObject({ state: 'INCOMPLETE' });

    await until(() => /ended \(signal SIGKILL\); starting it again/.test(cluster.said()), {
      what: 'holdfast up to say so',
    });
    await until(async () => (await cluster.cli('status')).exitCode === 0, {
      what: `${name} to be back`,
    });
    expect(cluster.pid(name)).not.toBe(pid);
    await expectNextBackupToWork();
  });
});

describe.each<[ClusterProcess, string]>([
  ['nats-server', 'nats-server'],
  ['postgres', 'PostgreSQL'],
])('SIGKILL for %s', (name, title) => {
  it('ends `holdfast up` with a clear message; started again, everything is there', async () => {
    const before = imagesOf(await cluster.cli('images'));
    await cluster.killProcess(name);
    const { exitCode, said } = await cluster.exited();
    expect(exitCode).not.toBe(0);
    expect(said).toContain(`${title} ended (signal SIGKILL)`);
    expect(said).not.toMatch(/\n\s+at \S/);
    await until(() => cluster.processes().length === 0, { what: 'all processes to be gone' });

    await cluster.restart();
    expect(imagesOf(await cluster.cli('images'))).toEqual(before);
    await expectNextBackupToWork();
  });
});
