import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { afterAll, beforeAll, expect, it } from '@jest/globals';

import type { JobView } from '#contracts/job.js';
import type { DueEntry } from '#contracts/policy.js';
import { logOf } from '../cluster/cluster-cli.js';
import { CLIENT, TestCluster } from '../cluster/cluster.js';
import { makeNoiseTree } from '../cluster/noise-tree.js';
import { until } from '../support/until.js';
import { compareTrees } from '../support/compare-trees.js';

/*
 * A media server that dies again and again, until the job of a policy is out of tries with a part of
 * it committed. Nobody looks: the retry rule of the policy goes on with that job, and with what it has.
 */

const MIB = 2 ** 20;

let cluster: TestCluster;
let tree: string;

beforeAll(async () => {
  cluster = await TestCluster.start({
    env: {
      HOLDFAST_SILENCE_MS_MAX: '5000',
      HOLDFAST_RETRY_FIRST_MS: '500',
      HOLDFAST_POLICY_TICK_SECONDS: '1',
    },
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

async function backups(): Promise<JobView[]> {
  return (await cluster.ask<{ jobs: JobView[] }>('jobs.list', { policy: 'web' })).jobs;
}

async function theJob(): Promise<JobView> {
  const [job, ...others] = await backups();
  expect(others).toEqual([]);
  return job!;
}

it('of a policy goes on by the retry rule, with the same number, from what is committed', async () => {
  await cluster.ask('policy.put', {
    policy: {
      ...{ name: 'web', clients: [CLIENT], selections: [tree], compressionLevel: 19 },
      schedules: [{ name: 'full', type: 'full', frequency: '1d' }],
      retry: { tries: 3, periodHours: 1, delayMinutes: 1 },
    },
  });
  await until(async () => (await backups()).length > 0, { what: 'the backup to be due' });
  for (const attempt of [1, 2, 3]) {
    await until(
      async () => {
        const job = await theJob();
        const stored = job.attempt > 1 || job.progress.storedBytes > 12 * MIB;
        return job.attempt === attempt && job.operation === 'moving data' && stored;
      },
      { what: `attempt ${attempt} to be on its way` },
    );
    await cluster.killProcess('media');
  }
  const out = await until(
    async () => {
      const job = await theJob();
      return job.state === 'incomplete' ? job : undefined;
    },
    { what: 'the job to be out of tries' },
  );
  const { job } = out;
  const due = await until(
    async () =>
      (await cluster.ask<{ due: DueEntry[] }>('policy.due', { policy: 'web' })).due.find(
        ({ goesOn }) => goesOn === job,
      ),
    { what: 'the policy to know of it' },
  );
  expect(Date.parse(due.dueAt!) - Date.parse(out.outOfTries!.failedAt)).toBe(60_000);
  const shown = (await cluster.text('jobs', 'show', String(job))).stdout;
  expect(shown).toMatch(
    /^Goes on: .*again after 1m; job \d+ goes on then from what is committed$/m,
  );

  // Whoever waits may be started anew meanwhile.
  await cluster.interrupt();
  await cluster.restart();
  const ended = await until(
    async () => {
      const view = await theJob();
      return view.state === 'done' ? view : undefined;
    },
    { what: 'the job to end', ms: 300_000 },
  );
  expect(ended).toMatchObject({ job, status: 0, attempt: 4 });
  const log = logOf(await cluster.cli('jobs', 'show', String(job))).join('\n');
  expect(log).toContain('the retry rule of its policy allows another try');
  const from = [...log.matchAll(/going on with image \S+ at fragment (\d+)/g)].map(
    ([, at]) => +at!,
  );
  expect(from.at(-1)).toBeGreaterThan(1);
  const to = cluster.path('restored');
  expect(await cluster.cli('restore', ended.imageId!, '--to', to)).toMatchObject({ exitCode: 0 });
  expect(await compareTrees(tree, join(to, tree))).toEqual([]);
});
