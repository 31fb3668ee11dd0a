import { cpSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

import type { ImageView } from '#contracts/image.js';
import type { JobView } from '#contracts/job.js';
import { commitStream, receiptStream, STREAMS } from '#contracts/streams.js';
import { jobOf } from '../cluster/cluster-cli.js';
import { TestCluster } from '../cluster/cluster.js';
import { MediaProcess } from '../cluster/media-process.js';
import { makeNoiseTree } from '../cluster/noise-tree.js';
import { until } from '../support/until.js';
import { compareTrees } from '../support/compare-trees.js';

/*
 * The broker forgets, for real: its store is put back to an older one, whole or only the messages of
 * one stream, or streams are gone. Media servers hold what they sealed, the catalog what it committed:
 * nothing is lost, and all heals by itself.
 */

const MIB = 2 ** 20;

let cluster: TestCluster;
let far: MediaProcess;
let tree: string;

beforeAll(async () => {
  cluster = await TestCluster.start({
    args: ['--media-server', 'far'],
    env: {
      ...{ HOLDFAST_SILENCE_MS_MAX: '5000', HOLDFAST_RETRY_FIRST_MS: '500' },
      ...{ HOLDFAST_TOPOLOGY_LOOK_MS: '1000', HOLDFAST_CARE_EVERY: '2s' },
    },
  });
  far = await MediaProcess.start(cluster, { mediaId: 'far', pool: 'offsite' });
  for (const [name, mediaId, pool] of [
    ['near', 'media1', 'main'],
    ['remote', 'far', 'offsite'],
  ]) {
    const file = cluster.path(`${name}.json`);
    writeFileSync(file, JSON.stringify({ name, mediaId, pool, fragmentBytesMax: 4 * MIB }));
    expect(await cluster.cli('unit', 'put', '-f', file)).toMatchObject({ exitCode: 0 });
  }
  tree = cluster.path('tree');
  makeNoiseTree(tree, { files: 30, bytesEach: MIB });
});

afterAll(async () => {
  await far?.stop();
  await cluster?.stop();
});

const store = (...names: string[]) => join(cluster.dataFolder, 'nats', ...names);

/** The folder of a stream below the broker's store. */
function streamFolder(stream: string, ...names: string[]): string {
  const found = readdirSync(store(), { recursive: true, encoding: 'utf8' });
  return store(
    found.find((path) => path.endsWith(join('streams', stream)))!,
    ...names,
  );
}

async function backUp(): Promise<string> {
  const job = jobOf(await cluster.cli('backup', '--storage', 'near', tree));
  expect(job).toMatchObject({ status: 0 });
  return job.imageId!;
}

async function startDuplication(imageId: string): Promise<number> {
  const submitted = await cluster.cli(
    'image',
    'duplicate',
    imageId,
    '--to',
    'offsite',
    '--no-wait',
  );
  return (submitted.json as { job: number }).job;
}

async function jobNumber(job: number): Promise<JobView> {
  return (await cluster.ask<{ job: JobView }>('jobs.get', { job })).job;
}

/** Kills the cluster, has something done to the broker's store, and starts it again. */
async function whileDown(change: () => void): Promise<void> {
  await cluster.kill();
  await until(() => cluster.processes().length <= 1, { what: 'the cluster to be gone' });
  change();
  await cluster.restart();
}

async function expectAllIsWell(duplications: readonly number[]): Promise<void> {
  for (const job of duplications) {
    await until(async () => (await jobNumber(job)).state === 'done', { what: `job ${job} to end` });
    expect(await jobNumber(job)).toMatchObject({ status: 0 });
  }
  const { images } = await cluster.ask<{ images: ImageView[] }>('catalog.images');
  expect(images.length).toBeGreaterThan(0);
  expect(images.map(({ state }) => state)).toEqual(images.map(() => 'COMPLETE'));
  await until(
    async () => {
      const { states } = await cluster.ask<{ states: Record<string, number> }>(
        'media.fragments.far',
      );
      return (states['SEALED'] ?? 0) === 0;
    },
    { what: 'every sealed fragment to have its verdict' },
  );
  for (const { imageId } of images) {
    expect(jobOf(await cluster.cli('image', 'verify', imageId))).toMatchObject({ status: 0 });
  }
  const reconciled = (await cluster.cli('catalog', 'reconcile')).json as { findings: unknown[] };
  expect(reconciled.findings).toEqual([]);
  // The way through the broker works again: a new backup, and what it restores.
  const imageId = await backUp();
  const to = cluster.path(`restored-${imageId}`);
  expect(await cluster.cli('restore', imageId, '--to', to)).toMatchObject({ exitCode: 0 });
  expect(await compareTrees(tree, join(to, tree))).toEqual([]);
}

async function duplicationUnderWay(imageId: string): Promise<number> {
  const job = await startDuplication(imageId);
  await until(async () => (await jobNumber(job)).progress.fragments > 0, {
    what: 'the duplication to have begun',
  });
  return job;
}

describe('a broker that forgets', () => {
  it('everything of the last minutes: its whole store is an older one', async () => {
    const first = await backUp();
    await whileDown(() => cpSync(store(), `${store()}-old`, { recursive: true }));
    const second = await backUp();
    const jobs = [await startDuplication(first), await duplicationUnderWay(second)];
    await whileDown(() => {
      rmSync(store(), { recursive: true });
      cpSync(`${store()}-old`, store(), { recursive: true });
    });
    await expectAllIsWell(jobs);
  });

  it('messages, but not how far its consumers were', async () => {
    const image = await backUp();
    const messages = (stream: string) => streamFolder(stream, 'msgs');
    await whileDown(() => {
      for (const { name } of [commitStream, receiptStream]) {
        cpSync(messages(name), cluster.path(`old-${name}`), { recursive: true });
      }
    });
    const job = await duplicationUnderWay(image);
    await whileDown(() => {
      for (const { name } of [commitStream, receiptStream]) {
        rmSync(messages(name), { recursive: true });
        cpSync(cluster.path(`old-${name}`), messages(name), { recursive: true });
      }
    });
    await expectAllIsWell([job]);
  });

  it('that there were any streams', async () => {
    const job = await duplicationUnderWay(await backUp());
    await whileDown(() => {
      for (const { name } of STREAMS) rmSync(streamFolder(name), { recursive: true });
    });
    await expectAllIsWell([job]);
  });
});
