import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';

import type { ExpiryDecision } from '#contracts/catalog/expiry.js';
import { deleteStream } from '#contracts/streams.js';
import { runCommand } from '../../apps/standalone/src/servers/system/command.js';
import { jobOf } from '../cluster/cluster-cli.js';
import { ClusterViews } from '../cluster/cluster-views.js';
import { TestCluster } from '../cluster/cluster.js';
import { MediaProcess } from '../cluster/media-process.js';
import { makeNoiseTree } from '../cluster/noise-tree.js';
import { until } from '../support/until.js';
import { compareTrees } from '../support/compare-trees.js';

/*
 * Failure points of media servers, deletion and broker (docs/failure-points.md) that no other test
 * shows with real processes: each step one more misfortune of the same cluster.
 */

const MIB = 2 ** 20;
const TREE_MIB = 30;
const RESERVE_MIB = 4;

let cluster: TestCluster;
let far: MediaProcess;
let tree: string;
let imageId: string;
let fragmentCount: number;
const views = new ClusterViews(() => cluster);
const started: MediaProcess[] = [];
const mounted: string[] = [];

beforeAll(async () => {
  cluster = await TestCluster.start({
    args: ['far', 'other', 'tiny'].flatMap((name) => ['--media-server', name]),
    env: {
      ...{ HOLDFAST_SILENCE_MS_MAX: '5000', HOLDFAST_RETRY_FIRST_MS: '500' },
      ...{ HOLDFAST_DRAIN_TRIES: '2', HOLDFAST_TOPOLOGY_LOOK_MS: '1000' },
      ...{ HOLDFAST_CARE_EVERY: '1s', HOLDFAST_DELETE_GRACE: '6s' },
      ...{ HOLDFAST_GRANT_EVERY: '200ms', HOLDFAST_GRANT_RESEND: '2s' },
    },
  });
  far = await startMedia('far', 'offsite');
  await putUnit('near', 'media1', 'main');
  tree = cluster.path('tree');
  makeNoiseTree(tree, { files: TREE_MIB, bytesEach: MIB });
});

/** A new image of which no pool has a copy. */
async function backUp(): Promise<void> {
  const job = jobOf(await cluster.cli('backup', '--storage', 'near', tree));
  expect(job).toMatchObject({ status: 0 });
  imageId = job.imageId!;
  fragmentCount = (await views.fragments(imageId, 1)).length;
}

beforeEach(async () => {
  await putUnit('remote', 'far', 'offsite');
  await backUp();
});

afterAll(async () => {
  for (const server of started) await server.stop();
  await cluster?.interrupt();
  for (const folder of mounted) await runCommand('umount', [folder]);
  await cluster?.stop();
});

async function startMedia(
  mediaId: string,
  pool: string,
  env: Record<string, string> = {},
): Promise<MediaProcess> {
  const server = await MediaProcess.start(cluster, { mediaId, pool, env });
  started.push(server);
  return server;
}

async function putUnit(name: string, mediaId: string, pool: string): Promise<void> {
  const unit = { name, mediaId, pool, fragmentBytesMax: 4 * MIB };
  await cluster.ask('broker.unit-put', { unit });
}

/** False where this user may mount nothing. */
async function mountSmall(folder: string, size: string): Promise<boolean> {
  const mount = await runCommand('mount', ['-t', 'tmpfs', '-o', `size=${size}`, 'test', folder]);
  if (mount.code === 0) mounted.push(folder);
  else console.log(`Skipped: nothing can be mounted here (${mount.stderr.trim()}).`);
  return mount.code === 0;
}

function resize(folder: string, size: string): ReturnType<typeof runCommand> {
  return runCommand('mount', ['-o', `remount,size=${size}`, folder]);
}

/** To what it holds; that may grow between the look and the change. */
async function fill(folder: string): Promise<void> {
  const isFull = async () => {
    const used = (await runCommand('du', ['-sk', folder])).stdout.split('\t')[0];
    return (await resize(folder, `${used}k`)).code === 0;
  };
  await until(isFull, { what: 'the file system to be full' });
}

/** The manifest gets its name last. */
const sealedAt = (server: MediaProcess, copy: number) =>
  server
    .files(imageId, copy)
    .map(({ name }) => name)
    .filter((name) => name.endsWith('.json'));

async function startCopy(
  server: MediaProcess,
  pool: string,
): Promise<{ job: number; copy: number }> {
  const job = await views.startDuplication(imageId, pool);
  const copy = 2;
  await until(() => server.files(imageId, copy).length > 0, {
    what: 'the copy to begin',
  });
  return { job, copy };
}

/** Each number once and ACTIVE, every byte of it, and the first copy as it always was. */
async function expectWhole(copy: number): Promise<void> {
  for (const each of [1, copy]) {
    const live = (await views.fragments(imageId, each)).filter(({ state }) => state === 'ACTIVE');
    expect(live.map(({ number }) => number)).toEqual(
      Array.from({ length: fragmentCount }, (_, at) => at + 1),
    );
  }
  const verified = await cluster.cli('image', 'verify', imageId, '--copy', String(copy));
  expect(jobOf(verified)).toMatchObject({ status: 0 });
}

async function expire(copy: number): Promise<ExpiryDecision[]> {
  const result = await cluster.cli('image', 'expire', imageId, '--copy', String(copy));
  return (result.json as { decisions: ExpiryDecision[] }).decisions;
}

async function untilDeleted(copy: number): Promise<void> {
  const deleted = async () =>
    (await views.copies(imageId)).find((each) => each.copy === copy)?.state === 'DELETED';
  await until(deleted, { what: `copy ${copy} to be deleted` });
}

const trash = (server: MediaProcess): string[] => {
  const folder = join(server.volume, '.trash');
  return existsSync(folder) ? readdirSync(folder) : [];
};

describe('a media server', () => {
  it('F18, F34: that was frozen while another one did its work is told so, and keeps its bytes', async () => {
    const other = await startMedia('other', 'offsite');
    const { job, copy } = await startCopy(far, 'offsite');
    far.link.cut();
    await until(() => sealedAt(far, copy).length === fragmentCount, { what: 'all to be sealed' });
    far.signal('SIGSTOP');
    far.link.restore();
    await putUnit('remote', 'other', 'offsite');
    expect(await expire(1)).toMatchObject([
      { decision: 'keep', reasons: expect.arrayContaining([expect.stringMatching(/reads? it/)]) },
    ]);
    expect(await views.endOf(job)).toMatchObject({ status: 0 });
    const holders = await views.fragments(imageId, copy);
    expect(holders.filter(({ mediaId }) => mediaId === 'other')).not.toHaveLength(0);
    const kept = far.files(imageId, copy);

    far.signal('SIGCONT');
    // Before it is back in touch nobody answers.
    const states = () => views.states('far').catch(() => ({ SEALED: 1 }));
    await until(async () => !(await states()).SEALED, { what: 'its verdicts' });
    const { SUPERSEDED = 0, FENCED = 0, COMMITTED = 0 } = await views.states('far');
    const elsewhere = holders.filter(({ mediaId }) => mediaId === 'other').length;
    expect([SUPERSEDED + FENCED, COMMITTED]).toEqual([elsewhere, fragmentCount - elsewhere]);
    expect(far.files(imageId, copy)).toEqual(kept);
    // Later they go by tombstone, as what holds their numbers is good.
    const live = (await views.fragments(imageId, copy)).filter(({ state }) => state === 'ACTIVE');
    expect(live).toEqual(holders);
    await expectWhole(copy);
    await other.stop();
  });

  it('F23: whose volume is full ends the duplication with 129, and it goes on when there is room', async () => {
    const volume = cluster.path('volume-tiny');
    mkdirSync(volume);
    if (!(await mountSmall(volume, '20m'))) return;
    const env = { HOLDFAST_MEDIA_RESERVE_BYTES: String(RESERVE_MIB * MIB) };
    const tiny = await startMedia('tiny', 'tiny', env);
    await putUnit('tiny', 'tiny', 'tiny');
    const { job, copy } = await startCopy(tiny, 'tiny');
    const ended = await views.endOf(job);
    expect(ended).toMatchObject({ status: 129 });
    expect(ended.message).toMatch(/full|room|space/i);
    const before = sealedAt(tiny, copy);
    expect(before.length).toBeGreaterThan(0);
    await resize(volume, '200m');
    const again = await views.startDuplication(imageId, 'tiny', copy);
    expect(await views.endOf(again)).toMatchObject({ status: 0 });
    await expectWhole(copy);
    const held = (await views.fragments(imageId, copy)).map(({ fragmentId }) => fragmentId);
    expect(before.filter((name) => !held.some((id) => name.includes(id)))).toEqual([]);
  });

  it('F30: whose volume is emptied has its copy damaged, never deleted, and mended from another', async () => {
    const { job, copy } = await startCopy(far, 'offsite');
    expect(await views.endOf(job)).toMatchObject({ status: 0 });
    const lost = (await views.fragments(imageId, copy)).map(({ fragmentId }) => fragmentId);
    rmSync(join(far.volume, 'images', imageId, `c${copy}`), { recursive: true });
    const verified = jobOf(await cluster.cli('image', 'verify', imageId, '--copy', String(copy)));
    expect(verified.status).toBeGreaterThan(0);
    const seen = new Set<string>();
    await until(
      async () => {
        const state = (await views.copies(imageId)).find((each) => each.copy === copy)!.state;
        seen.add(state);
        return state === 'COMPLETE';
      },
      { what: 'the copy to be mended' },
    );
    expect(seen).not.toContain('DELETED');
    expect(seen).not.toContain('TO_BE_DELETED');
    await expectWhole(copy);
    for (const fragmentId of lost) expect(await views.told('fragment.damaged', fragmentId)).toBe(1);
  });
});

describe('a deletion', () => {
  /** A new copy far away, complete. */
  async function copyToGo(): Promise<number> {
    const { job, copy } = await startCopy(far, 'offsite');
    expect(await views.endOf(job)).toMatchObject({ status: 0 });
    return copy;
  }

  it('F28: whose report is lost with its media server is reported after the restart, once', async () => {
    const copy = await copyToGo();
    await far.kill();
    far.launch({ HOLDFAST_CRASH_AT: 'removal-journalled' });
    expect(await expire(copy)).toMatchObject([{ decision: 'delete' }]);
    await until(() => !far.isAlive, { what: 'it to die behind its journal' });
    expect(trash(far).length).toBeGreaterThan(0);
    far.launch();
    await untilDeleted(copy);
    for (const { fragmentId } of await views.fragments(imageId, copy)) {
      expect(await views.told('fragment.deleted', fragmentId)).toBe(1);
    }
  });

  it('F25, F26: whose grants the broker loses gets them again; grants that come late do nothing', async () => {
    const copy = await copyToGo();
    await far.kill();
    expect(await expire(copy)).toMatchObject([{ decision: 'delete' }]);
    const [first] = await views.fragments(imageId, copy);
    const granted = async () => (await views.fragments(imageId, copy))[0]!.state === 'DELETING';
    await until(granted, { what: 'the grant' });
    const nats = await cluster.connect('topology');
    const subject = `hf.int.v1.frag.delete.far.${first!.fragmentId}`;
    const stored = await until(
      async () => {
        const get = `$JS.API.STREAM.MSG.GET.${deleteStream.name}`;
        const reply = await nats.request(get, JSON.stringify({ last_by_subj: subject }));
        return reply.json<{ message?: { data: string } }>().message;
      },
      { what: 'the grant to be in the stream' },
    );
    await killAll();
    const store = join(cluster.dataFolder, 'nats');
    const stream = readdirSync(store, { recursive: true, encoding: 'utf8' }).find((path) =>
      path.endsWith(join('streams', deleteStream.name)),
    );
    rmSync(join(store, stream!), { recursive: true });
    await cluster.restart();
    far.launch();
    await untilDeleted(copy);
    const before = trash(far);
    const catalog = await cluster.connect('catalog');
    catalog.publish(subject, Buffer.from(stored.data, 'base64'));
    catalog.publish(subject, Buffer.from(stored.data, 'base64'));
    await catalog.flush();
    // What comes behind the late grants shows that they were dealt with.
    const gone = imageId;
    await backUp();
    const next = await copyToGo();
    expect(await expire(next)).toMatchObject([{ decision: 'delete' }]);
    await untilDeleted(next);
    expect(trash(far)).toEqual(expect.arrayContaining(before));
    expect(await views.told('fragment.deleted', first!.fragmentId)).toBe(1);
    expect(await views.copies(gone)).toMatchObject([{ state: 'COMPLETE' }, { state: 'DELETED' }]);
  });
});

/** SIGKILL for the cluster, but for the media servers of the test. */
async function killAll(): Promise<void> {
  const own = started.filter(({ isAlive }) => isAlive).length;
  await cluster.kill();
  await until(() => cluster.processes().length <= own, { what: 'the cluster to be gone' });
}

/** It starts the cluster twice and waits until servers give up a full disk: two minutes on two processors. */
const FULL_DISK_MS_MAX = 480_000;

describe('a broker whose disk is full', () => {
  it(
    'F32: holds up no verdict, and what it loses or refuses comes again when there is room',
    async () => {
      const store = join(cluster.dataFolder, 'nats');
      await killAll();
      renameSync(store, `${store}-moved`);
      mkdirSync(store, { mode: 0o700 });
      const isSmall = await mountSmall(store, '6g');
      if (isSmall) await runCommand('cp', ['-a', `${store}-moved/.`, store]);
      else renameSync(`${store}-moved`, store);
      await cluster.restart();
      if (!isSmall) return;
      const { job, copy } = await startCopy(far, 'offsite');
      await fill(store);
      // A broker may refuse what it cannot write, or say that it has it: neither is trusted.
      expect(() => writeFileSync(join(store, 'filler'), Buffer.alloc(64 * MIB))).toThrow('ENOSPC');
      await until(() => sealedAt(far, copy).length === fragmentCount, { what: 'all to be sealed' });
      await until(async () => !(await views.states('far'))['SEALED'], { what: 'every verdict' });
      await killAll();
      expect(await resize(store, '6g')).toMatchObject({ code: 0 });
      await cluster.restart();
      expect(await views.endOf(job)).toMatchObject({ status: 0 });
      await expectWhole(copy);
      const to = cluster.path('restored');
      expect(await cluster.cli('restore', imageId, '--to', to)).toMatchObject({ exitCode: 0 });
      expect(await compareTrees(tree, join(to, tree))).toEqual([]);
    },
    FULL_DISK_MS_MAX,
  );
});
