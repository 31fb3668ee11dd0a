import { mkdirSync, readdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

import type { JobView } from '#contracts/job.js';
import type { LibraryView, LibraryVolume, MountRequest } from '#contracts/media/library.js';
import { checkoutFolder } from '../../apps/standalone/src/servers/checkout-folder.js';
import { runCommand } from '../../apps/standalone/src/servers/system/command.js';
import { jobOf, logOf } from '../cluster/cluster-cli.js';
import { TestCluster } from '../cluster/cluster.js';
import { makeNoiseTree } from '../cluster/noise-tree.js';
import { until } from '../support/until.js';
import { zstdCommand } from '../cluster/zstd-command.js';
import { compareTrees } from '../support/compare-trees.js';
import { removeFolder, temporaryFolder } from '../support/temporary-folder.js';

const MIB = 2 ** 20;

let cluster: TestCluster;
let folder: string;
let library: string;
let tree: string;
let imageId: string;

beforeAll(async () => {
  folder = await temporaryFolder();
  library = join(folder, 'library');
  cluster = await TestCluster.start({ args: ['--library', `tape=${library}`] });
  const file = cluster.path('unit.json');
  const unit = { name: 'tape', mediaId: 'media1', pool: 'tape', fragmentBytesMax: 3 * MIB };
  writeFileSync(file, JSON.stringify(unit));
  expect(await cluster.cli('unit', 'put', '-f', file)).toMatchObject({ exitCode: 0 });
  tree = cluster.path('tree');
  makeNoiseTree(tree, { files: 16, bytesEach: MIB / 2 });
});
afterAll(async () => {
  await cluster?.stop();
  if (folder) await removeFolder(folder);
});

async function volume(): Promise<LibraryVolume> {
  const { libraries } = await cluster.ask<{ libraries: LibraryView[] }>('media.library.media1');
  return libraries[0]!.volumes[0]!;
}

async function viewOf(job: number): Promise<JobView> {
  return (await cluster.ask<{ job: JobView }>('jobs.get', { job })).job;
}

async function ended(job: number): Promise<JobView> {
  await until(async () => (await viewOf(job)).state === 'done', { what: `the end of job ${job}` });
  return viewOf(job);
}

/** The mount request of a job. */
async function requestOf(job: number): Promise<MountRequest> {
  const asked = async () =>
    (await cluster.ask<{ requests: MountRequest[] }>('media.mounts.media1')).requests;
  const isOf = (one: MountRequest) => one.job === job;
  await until(async () => (await asked()).some(isOf), { what: 'a mount request' });
  return (await asked()).find(isOf)!;
}

describe('a library of sequential volumes', () => {
  it('takes a backup and gives it back', async () => {
    const backup = jobOf(await cluster.cli('backup', '--storage', 'tape', tree));
    expect(backup).toMatchObject({ status: 0 });
    imageId = backup.imageId!;
    const used = { volume: 'T00001', state: 'filling', fragments: 4 };
    expect(await volume()).toMatchObject(used);
    const to = cluster.path('restored');
    expect(await cluster.cli('restore', imageId, '--to', to)).toMatchObject({ exitCode: 0 });
    expect(await compareTrees(tree, join(to, tree))).toEqual([]);
    expect(await cluster.cli('image', 'verify', imageId)).toMatchObject({ exitCode: 0 });
  });

  it('lets a restore wait for a volume that an operator has to bring', async () => {
    expect(await cluster.cli('library', 'eject', 'T00001')).toMatchObject({ exitCode: 0 });
    const shelf = join(library, 'shelf');
    renameSync(join(library, 'library/mail/T00001'), shelf);
    const to = cluster.path('restored-later');
    const restore = ['restore', imageId, '--to', to, '--no-wait'];
    const given = (await cluster.cli(...restore)).json as { job: number };
    const { requestId } = await requestOf(given.job);
    const cancel = { requestId, action: 'cancel', reason: 'it is in the vault' };
    await cluster.ask('media.mount-answer.media1', cancel);
    const failed = await ended(given.job);
    expect(failed).toMatchObject({ status: 98 });

    const { job } = (await cluster.cli(...restore)).json as { job: number };
    const request = await requestOf(job);
    expect(request.volumes).toEqual([{ label: 'T00001', barcode: 'T00001' }]);
    const says = async () => (await viewOf(job)).operation === 'waiting for volume T00001';
    await until(says, { what: 'the job to say what it waits for' });
    renameSync(shelf, join(library, 'library/mail/T00001'));
    const answered = await cluster.cli('library', 'answer', request.requestId, 'mounted');
    expect(answered.json).toEqual({ imported: ['T00001'] });
    expect(await ended(job)).toMatchObject({ status: 0 });
    expect(await compareTrees(tree, join(to, tree))).toEqual([]);
    const log = logOf(await cluster.cli('jobs', 'show', String(job))).join('\n');
    expect(log).toContain('waiting for volume T00001');
  });

  it('is a source and a target of duplications', async () => {
    const there = await cluster.cli('image', 'duplicate', imageId, '--to', 'main');
    expect(jobOf(there)).toMatchObject({ status: 0 });
    const second = jobOf(await cluster.cli('backup', tree)).imageId!;
    const back = await cluster.cli('image', 'duplicate', second, '--to', 'tape');
    expect(jobOf(back)).toMatchObject({ status: 0 });
    expect((await volume()).fragments).toBeGreaterThan(4);
  });

  it('lets go of a cartridge that holds nothing, and of no other one', async () => {
    const refused = await cluster.cli('library', 'retire', 'T00001');
    expect(refused).toMatchObject({
      exitCode: 2,
      json: { error: { status: 97, field: 'volume' } },
    });
    const { exitCode, json } = await cluster.cli('library', 'retire', 'T00008');
    expect([exitCode, json]).toEqual([0, { barcode: 'T00008', place: 'mail' }]);
    expect(readdirSync(join(library, 'library/mail'))).toEqual(['T00008']);
  });

  it('has cartridges that dd, zstd and tar read with nothing of ours', async () => {
    const drives = join(library, 'library/drives');
    const drive = readdirSync(drives).find((one) =>
      readdirSync(join(drives, one)).includes('T00001'),
    )!;
    const to = cluster.path('unpacked');
    mkdirSync(to);
    const script = join(checkoutFolder(), 'docs/read-cartridge.sh');
    const env = { PATH: process.env['PATH'], LC_ALL: 'C', ZSTD: await zstdCommand() };
    const line = `${script} ${imageId} 1 ${join(drives, drive, 'T00001')} | "$ZSTD" -d | tar -x -C ${to}`;
    expect(await runCommand('sh', ['-ec', line], { cwd: to, env })).toMatchObject({ code: 0 });
    expect(await compareTrees(tree, join(to, tree))).toEqual([]);
  });
});
