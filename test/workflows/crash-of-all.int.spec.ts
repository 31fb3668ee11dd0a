import { createReadStream, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Blake3Hasher } from '@napi-rs/blake-hash';

import type { FragmentView, ImageView } from '#contracts/image.js';
import type { JobView } from '#contracts/job.js';
import { imagesOf, jobOf, logOf } from '../cluster/cluster-cli.js';
import { TestCluster } from '../cluster/cluster.js';
import { makeNoiseTree } from '../cluster/noise-tree.js';
import { until } from '../support/until.js';
import { compareTrees } from '../support/compare-trees.js';

const SLOWEST_LEVEL = '19';
const MIB = 2 ** 20;

let cluster: TestCluster;
let tree: string;

beforeAll(async () => {
  cluster = await TestCluster.start({
    env: { HOLDFAST_SILENCE_MS_MAX: '5000', HOLDFAST_RETRY_FIRST_MS: '500' },
  });
  tree = cluster.path('tree');
  makeNoiseTree(tree, { files: 50, bytesEach: MIB, compressible: true });
  const unit = cluster.path('unit.json');
  const small = { name: 'small', mediaId: 'media1', pool: 'main', fragmentBytesMax: 2 * MIB };
  writeFileSync(unit, JSON.stringify(small));
  expect(await cluster.cli('unit', 'put', '-f', unit)).toMatchObject({ exitCode: 0 });
});
afterAll(() => cluster?.stop());

async function fragmentsOf(imageId: string): Promise<FragmentView[]> {
  const input = { imageId, limit: 1_000 };
  return (await cluster.ask<{ fragments: FragmentView[] }>('catalog.fragments', input)).fragments;
}

async function jobNumber(job: number): Promise<JobView> {
  return (await cluster.ask<{ job: JobView }>('jobs.get', { job })).job;
}

function digestOf(file: string): Promise<string> {
  const hasher = new Blake3Hasher();
  return new Promise((resolve, reject) => {
    createReadStream(file)
      .on('data', (bytes) => hasher.update(bytes as Buffer))
      .on('error', reject)
      .on('end', () => resolve(hasher.digest('hex')));
  });
}

/** Invariant I1: what the catalog shows ACTIVE lies on its medium, whole, with its digest. */
async function expectWhole(images: readonly ImageView[]): Promise<number> {
  let seen = 0;
  for (const { imageId } of images) {
    for (const { copy, number, fragmentId, ...fragment } of await fragmentsOf(imageId)) {
      expect(fragment.state).toBe('ACTIVE');
      const name = `${String(number).padStart(5, '0')}-${fragmentId}`;
      const file = join(cluster.images, imageId, `c${copy}`, `${name}.tar.zst`);
      expect(statSync(file).size).toBe(fragment.storedBytes);
      expect(await digestOf(file)).toBe(fragment.digest);
      seen += 1;
    }
  }
  return seen;
}

describe('SIGKILL for `holdfast up` in the middle of a backup', () => {
  let full: string;
  let interrupted: JobView;

  it('leaves a catalog that is true, and a job that goes on where it was', async () => {
    full = jobOf(await cluster.cli('backup', '--storage', 'small', tree)).imageId!;
    const slow = ['--storage', 'small', '--level', SLOWEST_LEVEL, '--no-wait'];
    const { job } = (await cluster.cli('backup', ...slow, tree)).json as { job: number };
    await until(
      async () => {
        const { imageId, state } = await jobNumber(job);
        expect(state).not.toBe('done');
        return imageId !== null && (await fragmentsOf(imageId)).length >= 3;
      },
      { what: 'three fragments to be committed' },
    );
    await cluster.kill();
    await cluster.restart();
    await until(async () => (await jobNumber(job)).state === 'done', {
      what: 'the interrupted job to end',
      ms: 180_000,
    });
    interrupted = await jobNumber(job);
    expect(interrupted).toMatchObject({ status: 0, attempt: 2 });
    const log = logOf(await cluster.cli('jobs', 'show', String(job))).join('\n');
    expect(log).toMatch(/going on with image \S+ at fragment ([4-9]|\d\d)/);

    const images = imagesOf(await cluster.cli('images'));
    expect(images.map(({ imageId, state }) => [imageId, state])).toEqual([
      [interrupted.imageId, 'COMPLETE'],
      [full, 'COMPLETE'],
    ]);
    expect(await expectWhole(images)).toBeGreaterThanOrEqual(2 * 25);
  });

  it('loses no fragment that was sealed: each gets into the catalog', async () => {
    const imageId = interrupted.imageId!;
    const folder = join(cluster.images, imageId, 'c1');
    const sealed = readdirSync(folder).filter((name) => name.endsWith('.json'));
    await until(async () => (await fragmentsOf(imageId)).length === sealed.length, {
      what: `${sealed.length} fragments to be committed`,
    });
  });

  it('makes an image like any other: it is restored, and the next backup builds on it', async () => {
    const to = cluster.path('to');
    const restore = await cluster.cli('restore', interrupted.imageId!, '--to', to);
    expect(restore).toMatchObject({ exitCode: 0 });
    expect(await compareTrees(tree, join(to, tree))).toEqual([]);
    rmSync(join(tree, 'folder-0/file-7'));
    writeFileSync(join(tree, 'folder-0/new'), 'new\n');
    const next = jobOf(await cluster.cli('backup', '--type', 'differential', tree));
    expect(next).toMatchObject({ status: 0, kind: 'differential' });
    const [newest] = imagesOf(await cluster.cli('images'));
    const baseImageId = interrupted.imageId;
    expect(newest).toMatchObject({ imageId: next.imageId, baseImageId, state: 'COMPLETE' });
    expect(newest!.bytes).toBeLessThan(MIB);

    const there = cluster.path('restored');
    const restored = await cluster.cli('restore', next.imageId!, '--to', there);
    expect(restored).toMatchObject({ exitCode: 0 });
    expect(await compareTrees(tree, join(there, tree))).toEqual([]);
  });

  it('leaves nothing allocated and, after a stop, no process', async () => {
    const { allocations, queue } =
      await cluster.ask<Record<string, unknown[]>>('broker.allocations');
    expect([allocations, queue]).toEqual([[], []]);
    await cluster.kill();
    await cluster.restart();
    expect(await cluster.cli('status')).toMatchObject({ json: { well: true } });
    expect(await cluster.interrupt()).toMatchObject({ exitCode: 0 });
    expect(cluster.processes()).toEqual([]);
  });
});
