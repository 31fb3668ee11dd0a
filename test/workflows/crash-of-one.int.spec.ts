import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

import type { JobView } from '#contracts/job.js';
import { imagesOf, jobOf, logOf } from '../cluster/cluster-cli.js';
import { TestCluster, type ClusterProcess } from '../cluster/cluster.js';
import { makeNoiseTree } from '../cluster/noise-tree.js';
import { until } from '../support/until.js';
import { compareTrees } from '../support/compare-trees.js';

const MIB = 2 ** 20;
/** A participant that is silent for so long has died; the test does not wait 30 s for that. */
const SILENCE_MS = 5_000;

let cluster: TestCluster;
let tree: string;

beforeAll(async () => {
  cluster = await TestCluster.start({
    env: { HOLDFAST_SILENCE_MS_MAX: String(SILENCE_MS), HOLDFAST_RETRY_FIRST_MS: '500' },
  });
  tree = cluster.path('tree');
  const unit = cluster.path('unit.yaml');
  writeFileSync(
    unit,
    `{ name: default, mediaId: media1, pool: main, fragmentBytesMax: ${4 * MIB} }`,
  );
  expect(await cluster.cli('unit', 'put', '-f', unit)).toMatchObject({ exitCode: 0 });
  makeNoiseTree(tree, { files: 50, bytesEach: MIB, compressible: true });
});
afterAll(() => cluster?.stop());

async function jobNumber(job: number): Promise<JobView> {
  return (await cluster.ask<{ job: JobView }>('jobs.get', { job })).job;
}

/** A slow backup of which some fragments have been stored. */
async function backupInTheMiddle(): Promise<number> {
  const { job } = (await cluster.cli('backup', '--level', '19', '--no-wait', tree)).json as {
    job: number;
  };
  await until(async () => (await jobNumber(job)).progress.storedBytes > 12 * MIB, {
    what: 'the backup to have stored some fragments',
  });
  expect(await jobNumber(job)).toMatchObject({ state: 'active' });
  return job;
}

async function expectNextBackupToWork(): Promise<void> {
  const next = jobOf(await cluster.cli('backup', tree));
  expect(next).toMatchObject({ status: 0 });
  await expectRestored(next.imageId!, `restored-${next.job}`);
}

async function expectRestored(imageId: string, into: string): Promise<void> {
  const to = cluster.path(into);
  expect(await cluster.cli('restore', imageId, '--to', to)).toMatchObject({ exitCode: 0 });
  expect(await compareTrees(tree, join(to, tree))).toEqual([]);
}

describe.each<[ClusterProcess, RegExp]>([
  // It fell silent, or the agent saw its connection break.
  ['media', /\((82|40|25|26)\)$/m],
  // It fell silent, or the media server saw its connection break.
  ['agent', /\((50|40)\)$/m],
])('SIGKILL for the %s alone in the middle of a backup', (name, reason) => {
  it('begins the next attempt of that job, which goes on where it was', async () => {
    const job = await backupInTheMiddle();
    const pid = cluster.pid(name);
    await cluster.killProcess(name);
    await until(async () => (await jobNumber(job)).state === 'done', {
      what: 'the job to end',
      ms: 2 * SILENCE_MS + 240_000,
    });
    const ended = await jobNumber(job);
    expect(ended).toMatchObject({ status: 0, attempt: 2 });
    const log = logOf(await cluster.cli('jobs', 'show', String(job))).join('\n');
    expect(log).toMatch(reason);
    expect(log).toMatch(/try 2 of 3 begins in/);
    expect(log).toMatch(/drained: every sealed fragment is committed/);
    expect(log).toMatch(/going on with image \S+ at fragment \d+/);
    expect(cluster.pid(name)).not.toBe(pid);
    expect(cluster.said()).toMatch(/ended \(signal SIGKILL\); starting it again/);
    await expectRestored(ended.imageId!, `resumed-${name}`);
  });
});

describe('an agent that has lost what it knew of the backup', () => {
  it('makes a new image in the same job', async () => {
    const job = await backupInTheMiddle();
    const { imageId } = await jobNumber(job);
    await cluster.killProcess('agent');
    rmSync(cluster.path(`data/agent/listings/on-demand/${imageId}.tsv.resume`));
    await until(async () => (await jobNumber(job)).state === 'done', {
      what: 'the job to end',
      ms: 2 * SILENCE_MS + 240_000,
    });
    const ended = await jobNumber(job);
    expect(ended).toMatchObject({ status: 0 });
    expect(ended.imageId).not.toBe(imageId);
    const log = logOf(await cluster.cli('jobs', 'show', String(job))).join('\n');
    expect(log).toContain('the agent cannot go on with this image');
    await expectRestored(ended.imageId!, 'made-anew');
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
