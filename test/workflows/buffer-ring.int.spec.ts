import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

import { jobOf, logOf } from '../cluster/cluster-cli.js';
import { TestCluster } from '../cluster/cluster.js';
import { makeNoiseTree } from '../cluster/noise-tree.js';
import { until } from '../support/until.js';
import { compareTrees } from '../support/compare-trees.js';

const BUFFER_BYTES = 64 * 1024;

let cluster: TestCluster;
let tree: string;

beforeAll(async () => {
  const env = { HOLDFAST_DATA_BUFFERS: '2', HOLDFAST_DATA_BUFFER_BYTES: String(BUFFER_BYTES) };
  cluster = await TestCluster.start({ env });
  tree = cluster.path('tree');
  makeNoiseTree(tree, { files: 32, bytesEach: 2 ** 20, compressible: true });
});
afterAll(() => cluster?.stop());

describe('the ring of buffers between reader and sender', () => {
  /** How often the agent waited for an empty buffer, by the log of each attempt. */
  async function waitsOf(job: number): Promise<number[]> {
    const log = logOf(await cluster.cli('jobs', 'show', String(job)));
    expect(log).toContain(`using 2 data buffers of ${BUFFER_BYTES} bytes`);
    const line = /^waited for empty buffer (\d+) times, for full buffer \d+ times$/;
    return log.flatMap((text) => line.exec(text)?.slice(1).map(Number) ?? []);
  }

  it('is as large as its settings say; the job tells how often either side waited', async () => {
    const job = jobOf(await cluster.cli('backup', '--level', '9', tree));
    expect(job).toMatchObject({ status: 0 });
    const [waits, ...more] = await waitsOf(job.job);
    expect(more).toEqual([]);
    expect(waits).toBeGreaterThan(10);
    expect(job.progress.waitedForEmpty).toBe(waits);
    const to = cluster.path('restored');
    const restored = await cluster.cli('restore', job.imageId!, '--to', to);
    expect(await compareTrees(tree, join(to, tree))).toEqual([]);
    const shown = (number: number) => cluster.text('jobs', 'show', String(number));
    expect((await shown(job.job)).stdout).toMatch(/Buffer waits: +\d+ for an empty one/);
    expect((await shown(jobOf(restored).job)).stdout).toMatch(/Buffer waits: +-\n/);
  });

  it('tells it of an attempt that was cut off, too', async () => {
    const started = await cluster.cli('backup', '--level', '19', '--no-wait', tree);
    const { job } = started.json as { job: number };
    const view = async () => jobOf(await cluster.cli('jobs', 'show', String(job)));
    await until(async () => (await view()).progress.bytes > 4 * BUFFER_BYTES, {
      what: 'the backup to be under way',
    });
    expect(await cluster.cli('jobs', 'suspend', String(job))).toMatchObject({ exitCode: 0 });
    await until(async () => (await waitsOf(job)).length > 0, {
      what: 'the log to have the waits of the attempt',
    });
  });
});
