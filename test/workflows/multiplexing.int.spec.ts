import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

import type { JobView } from '#contracts/job.js';
import type { LibraryView } from '#contracts/media/library.js';
import { makeSmallLibrary } from '#storage/testing/small-library.js';
import { TestCluster } from '../cluster/cluster.js';
import { makeNoiseTree } from '../cluster/noise-tree.js';
import { until } from '../support/until.js';
import { compareTrees } from '../support/compare-trees.js';
import { removeFolder, temporaryFolder } from '../support/temporary-folder.js';

const MIB = 2 ** 20;
const STREAMS = [0, 1, 2];

let cluster: TestCluster;
let folder: string;

/** A library with one drive, a unit that lets three jobs share it, and a policy of three streams. */
beforeAll(async () => {
  folder = await temporaryFolder();
  const library = join(folder, 'library');
  await makeSmallLibrary(library, { cartridges: 3, capacityBytes: 1024 * MIB });
  cluster = await TestCluster.start({
    args: ['--library', `tape=${library}`],
    env: { HOLDFAST_SILENCE_MS_MAX: '5000', HOLDFAST_RETRY_FIRST_MS: '500' },
  });
  for (const stream of STREAMS) {
    makeNoiseTree(tree(stream), { files: 40, bytesEach: MIB, compressible: true });
  }
  await putUnit(3);
});
afterAll(async () => {
  await cluster?.stop();
  if (folder) await removeFolder(folder);
});

function tree(stream: number): string {
  return cluster.path(`tree-${stream}`);
}

async function putUnit(maxStreamsPerDrive: number): Promise<void> {
  const unit = { name: 'tape', mediaId: 'media1', pool: 'tape', fragmentBytesMax: 3 * MIB };
  await put('unit', { ...unit, maxStreamsPerDrive });
}

async function put(kind: 'unit' | 'policy', what: object): Promise<void> {
  const file = cluster.path(`${kind}.json`);
  writeFileSync(file, JSON.stringify(what));
  expect(await cluster.cli(kind, 'put', '-f', file)).toMatchObject({ exitCode: 0 });
}

async function putPolicy(schedule: object = {}): Promise<void> {
  await put('policy', {
    ...{ name: 'streams', clients: ['web1.example'], storage: 'tape', multipleStreams: true },
    ...{ selections: STREAMS.map(tree), compressionLevel: 9 },
    schedules: [{ name: 'full', type: 'full', ...schedule }],
  });
}

/** Runs the policy. @returns its parent job */
async function run(): Promise<number> {
  const { jobs } = (await cluster.cli('policy', 'run', 'streams')).json as {
    jobs: { job: number }[];
  };
  return jobs[0]!.job;
}

async function childrenOf(parent: number): Promise<JobView[]> {
  const { jobs } = await cluster.ask<{ jobs: JobView[] }>('jobs.list', { parent });
  return jobs.sort((a, b) => a.job - b.job);
}

async function viewOf(job: number): Promise<JobView> {
  return (await cluster.ask<{ job: JobView }>('jobs.get', { job })).job;
}

async function fragments(): Promise<number> {
  const { libraries } = await cluster.ask<{ libraries: LibraryView[] }>('media.library.media1');
  return libraries[0]!.volumes.reduce((sum, volume) => sum + volume.fragments, 0);
}

async function expectRestored(children: readonly JobView[], into: string): Promise<void> {
  for (const [stream, { imageId }] of children.entries()) {
    const to = cluster.path(`${into}-${stream}`);
    expect(await cluster.cli('restore', imageId!, '--to', to)).toMatchObject({ exitCode: 0 });
    expect(await compareTrees(tree(stream), join(to, tree(stream)))).toEqual([]);
  }
}

describe('three streams of one client on one drive', () => {
  it('run side by side, survive a kill of the media server in the middle, and come back', async () => {
    await putPolicy();
    const parent = await run();
    const active = async () =>
      (await childrenOf(parent)).filter(({ state }) => state === 'active').length;
    await until(async () => (await active()) === 3, { what: 'three streams side by side' });
    await until(async () => (await fragments()) > 0, { what: 'a fragment on a volume' });
    await cluster.killProcess('media');
    const isOver = async () => (await viewOf(parent)).state === 'done';
    await until(isOver, { what: 'the end of the parent', ms: 150_000 });
    const children = await childrenOf(parent);
    expect(children.map(({ status }) => status)).toEqual([0, 0, 0]);
    expect(children.some(({ attempt }) => attempt > 1)).toBe(true);
    await expectRestored(children, 'restored');
    for (const { imageId } of children) {
      expect(await cluster.cli('image', 'verify', imageId!)).toMatchObject({ exitCode: 0 });
    }
  });

  it('run one after the other where their schedule allows no more on a drive', async () => {
    await putPolicy({ multiplexing: 1 });
    const parent = await run();
    const waiting = async () =>
      (await childrenOf(parent)).filter(({ waitReason }) => waitReason === 'drive-busy').length;
    await until(async () => (await waiting()) === 2, { what: 'two streams to wait for the drive' });
    await cluster.cli('jobs', 'cancel', String(parent));
    const isOver = async () => (await viewOf(parent)).state === 'done';
    await until(isOver, { what: 'the end of the parent' });
  });

  it('are refused where a unit says a number that is none', async () => {
    const file = cluster.path('wrong.json');
    const unit = { name: 'tape', mediaId: 'media1', pool: 'tape', maxStreamsPerDrive: 33 };
    writeFileSync(file, JSON.stringify(unit));
    const { exitCode, json } = await cluster.cli('unit', 'put', '-f', file);
    expect([exitCode, json]).toMatchObject([64, { error: { field: 'maxStreamsPerDrive' } }]);
  });
});
