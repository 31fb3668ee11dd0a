import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

import { runCommand } from '../../apps/standalone/src/servers/system/command.js';
import type { JobView } from '#contracts/job.js';
import { imagesOf, jobOf } from '../cluster/cluster-cli.js';
import { TestCluster } from '../cluster/cluster.js';
import { makeNoiseTree } from '../cluster/noise-tree.js';
import { until } from '../support/until.js';
import { compareTrees } from '../support/compare-trees.js';

const MIB = 2 ** 20;
/** What the media server leaves free, and so the point at which the volume is full. */
const RESERVE_MIB = 8;
const VOLUME_MIB = 80;

let cluster: TestCluster;
let volume: string;
let mounted = false;

beforeAll(async () => {
  cluster = await TestCluster.start({
    env: { HOLDFAST_MEDIA_RESERVE_BYTES: String(RESERVE_MIB * MIB) },
  });
  volume = join(cluster.dataFolder, 'media/main');
  const size = `size=${VOLUME_MIB}m`;
  const mount = await runCommand('mount', ['-t', 'tmpfs', '-o', size, 'holdfast-test', volume]);
  mounted = mount.code === 0;
  if (!mounted) {
    console.log(`Skipped: this user cannot mount a small volume (${mount.stderr.trim()}).`);
    return;
  }
  // It opens the new volume when it is started again.
  const before = cluster.pid('media');
  await cluster.killProcess('media');
  await until(() => mediaWith(VOLUME_MIB), { what: 'the media server to be back' });
  expect(cluster.pid('media')).not.toBe(before);
});
afterAll(async () => {
  await cluster?.interrupt();
  if (mounted) await runCommand('umount', [volume]);
  await cluster?.stop();
});

async function mediaWith(totalMib: number): Promise<boolean> {
  const { servers } = await cluster.ask<{
    servers: { state: string; volumes: { totalBytes: number }[] }[];
  }>('broker.servers');
  return servers.some(
    ({ state, volumes }) => state === 'up' && volumes[0]?.totalBytes === totalMib * MIB,
  );
}

describe('a volume that becomes full', () => {
  it('ends the backup with 129, loses nothing, and takes the next one when there is room', async () => {
    if (!mounted) return;
    const small = cluster.path('small');
    const large = cluster.path('large');
    makeNoiseTree(small, { files: 20, bytesEach: MIB });
    makeNoiseTree(large, { files: 40, bytesEach: MIB });
    const first = jobOf(await cluster.cli('backup', small));
    expect(first).toMatchObject({ status: 0 });
    // Something of somebody else's takes the room.
    const filler = join(volume, 'filler');
    writeFileSync(filler, Buffer.alloc(30 * MIB));

    // Once: as soon as the broker hears that the volume is full, the next one waits for room.
    const result = await cluster.text('backup', large);
    expect(result.exitCode).toBe(2);
    expect(result.stderr).toMatch(/full/i);
    const { jobs } = await cluster.ask<{ jobs: JobView[] }>('jobs.list');
    const failed = jobs.find(({ job }) => job !== first.job);
    expect(failed).toMatchObject({ state: 'done', status: 129 });
    expect(failed!.message).not.toBe('');
    const images = imagesOf(await cluster.cli('images'));
    const complete = images.filter(({ state }) => state === 'COMPLETE');
    expect(complete.map(({ imageId }) => imageId)).toEqual([first.imageId]);

    const to = cluster.path('restored-while-full');
    const restore = await cluster.cli('restore', first.imageId!, '--to', to);
    expect(restore).toMatchObject({ exitCode: 0 });
    expect(await compareTrees(small, join(to, small))).toEqual([]);

    rmSync(filler);
    // What the failed attempts wrote stays where it is, and counts: a service never deletes.
    mkdirSync(cluster.path('next'));
    writeFileSync(cluster.path('next/file'), Buffer.alloc(MIB, 'x'));
    const next = jobOf(await cluster.cli('backup', cluster.path('next')));
    expect(next).toMatchObject({ status: 0 });
    const again = cluster.path('restored-again');
    const last = await cluster.cli('restore', next.imageId!, '--to', again);
    expect(last).toMatchObject({ exitCode: 0 });
    expect(await compareTrees(cluster.path('next'), join(again, cluster.path('next')))).toEqual([]);
  });
});
