import { mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

import type { FragmentView } from '#contracts/image.js';
import { jobOf } from '../cluster/cluster-cli.js';
import { TestCluster } from '../cluster/cluster.js';
import { MediaProcess } from '../cluster/media-process.js';
import { makeNoiseTree } from '../cluster/noise-tree.js';
import { until } from '../support/until.js';
import { compareTrees } from '../support/compare-trees.js';

/*
 * A disk that is not mounted when its media server starts: all that the server finds is the empty
 * folder beneath. Nothing may be taken for lost that is on the disk.
 */

/** Exit code: nobody answers. */
const UNAVAILABLE = 69;

let cluster: TestCluster;
let media: MediaProcess;
let tree: string;
let imageId: string;

beforeAll(async () => {
  cluster = await TestCluster.start({
    args: ['--media-server', 'far'],
    env: { HOLDFAST_CARE_EVERY: '500ms' },
  });
  media = await MediaProcess.start(cluster, { mediaId: 'far', pool: 'disk' });
  const file = cluster.path('unit.json');
  writeFileSync(file, JSON.stringify({ name: 'far', mediaId: 'far', pool: 'disk' }));
  expect(await cluster.cli('unit', 'put', '-f', file)).toMatchObject({ exitCode: 0 });
  tree = cluster.path('tree');
  makeNoiseTree(tree, { files: 5, bytesEach: 100_000 });
  imageId = jobOf(await cluster.cli('backup', '--storage', 'far', tree)).imageId!;
  expect(await reconcile()).toMatchObject({ exitCode: 0 });
});

afterAll(async () => {
  await media?.stop();
  await cluster?.stop();
});

const reconcile = () => cluster.cli('catalog', 'reconcile', '--media', 'far');
const disk = () => `${media.volume}-disk`;

async function states(): Promise<string[]> {
  const page = { imageId, copy: 1, all: true };
  const { fragments } = await cluster.ask<{ fragments: FragmentView[] }>('catalog.fragments', page);
  return fragments.map(({ state }) => state);
}

async function restart(change: () => void): Promise<void> {
  await media.kill();
  change();
  media.launch();
  await until(async () => (await reconcile()).exitCode !== UNAVAILABLE, {
    what: 'the media server',
  });
}

const unmount = () => {
  renameSync(media.volume, disk());
  mkdirSync(media.volume);
};

const mount = () => {
  rmSync(media.volume, { recursive: true });
  renameSync(disk(), media.volume);
};

describe('a disk that is not mounted when its media server starts', () => {
  it('is away, and nothing of it is lost', async () => {
    await restart(unmount);
    const result = await reconcile();
    expect(result).toMatchObject({
      exitCode: 1,
      json: { findings: [], away: [{ mediaId: 'far', pool: 'disk', path: media.volume }] },
    });
    // What cannot be read is suspected, and is still no damage.
    const to = cluster.path('restored-in-vain');
    expect((await cluster.cli('restore', imageId, '--to', to)).exitCode).not.toBe(0);
    expect(await states()).toEqual(['ACTIVE']);
    await restart(mount);
    expect(await reconcile()).toMatchObject({ json: { findings: [] } });
    const restored = cluster.path('restored');
    expect(await cluster.cli('restore', imageId, '--to', restored)).toMatchObject({ exitCode: 0 });
    expect(await compareTrees(tree, join(restored, tree))).toEqual([]);
  });

  it('is lost when a person says so', async () => {
    await restart(unmount);
    const { volumesAway } = await cluster.ask<{ volumesAway: { volumeId: string }[] }>(
      'catalog.state',
    );
    for (const { volumeId } of volumesAway) {
      await cluster.cli('catalog', 'forget-volume', 'far', volumeId);
    }
    expect(await reconcile()).toMatchObject({ json: { findings: [{ action: 'mark-damaged' }] } });
    await until(async () => (await states())[0] === 'DAMAGED', { what: 'the damage to be seen' });
    await restart(mount);
    await until(async () => (await states())[0] === 'ACTIVE', { what: 'the fragment to be back' });
  });
});
