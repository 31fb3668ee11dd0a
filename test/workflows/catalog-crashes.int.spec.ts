import { renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';

import type { ImageView } from '#contracts/image.js';
import { runCommand } from '../../apps/standalone/src/servers/system/command.js';
import { jobOf } from '../cluster/cluster-cli.js';
import { ClusterViews } from '../cluster/cluster-views.js';
import { TestCluster } from '../cluster/cluster.js';
import { ClusterDatabase } from '../cluster/database.js';
import { MediaProcess } from '../cluster/media-process.js';
import { makeNoiseTree } from '../cluster/noise-tree.js';
import { until } from '../support/until.js';
import { compareTrees } from '../support/compare-trees.js';

/*
 * The failure points of the catalog (docs/failure-points.md), with real processes. The test holds
 * something in PostgreSQL, so that the catalog stands at one point of a commit; there everything but
 * the far media server gets SIGKILL, PostgreSQL and nats-server too.
 */

const MIB = 2 ** 20;
const FRAGMENTS = 4;

let cluster: TestCluster;
let far: MediaProcess;
let tree: string;
let imageId: string;
let database: ClusterDatabase;
const views = new ClusterViews(() => cluster);

beforeAll(async () => {
  cluster = await TestCluster.start({
    args: ['--media-server', 'far'],
    env: {
      ...{ HOLDFAST_SILENCE_MS_MAX: '5000', HOLDFAST_RETRY_FIRST_MS: '500' },
      ...{ HOLDFAST_TOPOLOGY_LOOK_MS: '1000', HOLDFAST_CARE_EVERY: '1s' },
      ...{ HOLDFAST_DELETE_GRACE: '1s', HOLDFAST_GRANT_EVERY: '200ms' },
    },
  });
  far = await MediaProcess.start(cluster, { mediaId: 'far', pool: 'offsite' });
  for (const [name, mediaId, pool] of [
    ['near', 'media1', 'main'],
    ['remote', 'far', 'offsite'],
  ]) {
    const unit = { name, mediaId, pool, fragmentBytesMax: 4 * MIB };
    await cluster.ask('broker.unit-put', { unit });
  }
  tree = cluster.path('tree');
  makeNoiseTree(tree, { files: 12, bytesEach: MIB });
});

afterEach(async () => {
  await database?.end();
});

afterAll(async () => {
  await far?.stop();
  await cluster?.stop();
});

async function backUp(): Promise<string> {
  const job = jobOf(await cluster.cli('backup', '--storage', 'near', tree));
  expect(job).toMatchObject({ status: 0 });
  return job.imageId!;
}

/** SIGKILL for all but the far media server. */
async function killAll(): Promise<void> {
  const servers = cluster
    .processes()
    .filter(({ command }) => /postgres|nats-server/.test(command))
    .map(({ pid }) => pid);
  await cluster.kill();
  for (const pid of servers) isThere(pid, 'SIGKILL');
  // One that has ended, and that nobody has waited for yet, has its number and no command any more.
  await until(() => cluster.processes().length <= 1 && !servers.some((pid) => isThere(pid)), {
    what: 'the cluster to be gone',
  });
}

/** Sends it a signal, or none; false where it is gone. */
function isThere(pid: number, signal: NodeJS.Signals | 0 = 0): boolean {
  try {
    return process.kill(pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    return false;
  }
}

/** All good, and exactly once: in the rows, in the files and in what the world was told. */
async function expectAllIsWell(job: number): Promise<void> {
  expect(await views.endOf(job)).toMatchObject({ status: 0 });
  expect(await views.copies(imageId)).toMatchObject([
    { state: 'COMPLETE' },
    { state: 'COMPLETE', pinned: 0 },
  ]);
  await until(async () => !(await views.states('far'))['SEALED'], {
    what: 'a verdict on every fragment',
  });
  for (const copy of [1, 2]) {
    const held = await views.fragments(imageId, copy);
    expect(held.map(({ number, state }) => `${number} ${state}`)).toEqual(
      Array.from({ length: FRAGMENTS }, (_, at) => `${at + 1} ACTIVE`),
    );
    for (const { fragmentId } of held)
      expect(await views.told('fragment.committed', fragmentId)).toBe(1);
  }
  const inCopy2 = (await views.fragments(imageId, 2)).map(({ fragmentId }) => fragmentId);
  const files = far.files(imageId, 2).filter(({ name }) => name.endsWith('.tar.zst'));
  expect(files.map(({ name }) => name.slice(6, 42))).toEqual(expect.arrayContaining(inCopy2));
  expect(jobOf(await cluster.cli('image', 'verify', imageId))).toMatchObject({ status: 0 });
}

const COMMITS_ARE_HELD = 'BEGIN; LOCK TABLE catalog.fragment IN SHARE MODE';

async function rowsOfCopy2(): Promise<number> {
  const rows = await database.query<{ count: number }>(
    `SELECT count(*)::int AS count FROM catalog.fragment WHERE copy = 2 AND image_id = '${imageId}'`,
  );
  return rows[0]!.count;
}

/** A duplication whose first commits are in the catalog's hands, in a transaction that waits. */
async function duplicationAtCommit(): Promise<{ job: number; backend: number }> {
  imageId = await backUp();
  database = await ClusterDatabase.connect(cluster);
  await database.query(COMMITS_ARE_HELD);
  const job = await views.startDuplication(imageId, 'offsite');
  const backend = await until(async () => (await database.waiting('Lock'))[0], {
    what: 'the catalog to wait for a lock',
  });
  expect(await rowsOfCopy2()).toBe(0);
  return { job, backend };
}

/** As it is shipped, PostgreSQL cannot have a standby to wait for. */
async function prepareForStandby(): Promise<void> {
  database = await ClusterDatabase.connect(cluster);
  await database.query('ALTER SYSTEM SET max_wal_senders = 1');
  await database.query(`ALTER SYSTEM SET wal_level = 'replica'`);
  await database.end();
  await cluster.interrupt();
  await cluster.restart();
}

describe('a catalog that is killed with commits in its hands', () => {
  it('F9: before its transaction commits: the broker delivers again', async () => {
    const { job } = await duplicationAtCommit();
    await killAll();
    await cluster.restart();
    await expectAllIsWell(job);
  });

  it('F10, F11, F13: in COMMIT, which worked: rows and receipts are there, it never hears of it', async () => {
    await prepareForStandby();
    const { job, backend } = await duplicationAtCommit();
    // The database commits, and then waits in vain for a standby before it says so.
    const other = await ClusterDatabase.connect(cluster);
    await other.query(`ALTER SYSTEM SET synchronous_standby_names = 'nobody'`);
    await other.query('SELECT pg_reload_conf()');
    await until(
      async () =>
        (await other.query(`SELECT 1 FROM pg_stat_activity WHERE wait_event = 'SyncRep'`)).length,
      { what: 'the first service to wait for a standby' },
    );
    await database.query('ROLLBACK');
    await until(async () => (await database.waiting('SyncRep')).includes(backend), {
      what: 'the catalog to wait for its COMMIT',
    });
    const [transaction] = await other.query<{ id: string }>(
      `SELECT backend_xid::text AS id FROM pg_stat_activity WHERE pid = ${backend}`,
    );
    await killAll();
    await other.end();
    writeFileSync(join(cluster.dataFolder, 'postgres/postgresql.auto.conf'), '');
    await cluster.restart();
    database = await ClusterDatabase.connect(cluster);
    const status = `SELECT pg_xact_status('${transaction!.id}') AS status`;
    expect(await database.query(status)).toEqual([{ status: 'committed' }]);
    await expectAllIsWell(job);
  });

  it('F14: when its receipts are published, and still in the outbox: they go out twice', async () => {
    imageId = await backUp();
    database = await ClusterDatabase.connect(cluster);
    await database.query('SELECT pg_advisory_lock(14)');
    await database.query(`
      CREATE FUNCTION public.hold_receipts() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN PERFORM pg_advisory_xact_lock(14); RETURN OLD; END $$;
      GRANT USAGE ON SCHEMA public TO holdfast_catalog;
      CREATE TRIGGER hold_receipts BEFORE DELETE ON catalog.outbox FOR EACH ROW
        WHEN (OLD.subject LIKE 'hf.int.v1.frag.receipt.far.%') EXECUTE FUNCTION hold_receipts()`);
    const job = await views.startDuplication(imageId, 'offsite');
    await until(async () => (await database.waiting('advisory')).length > 0, {
      what: 'the relay to wait',
    });
    const before = (await views.states('far'))['COMMITTED'] ?? 0;
    expect(before).toBeGreaterThan(0);
    await killAll();
    await cluster.restart();
    await expectAllIsWell(job);
    expect((await views.states('far'))['COMMITTED']).toBeGreaterThanOrEqual(before);
  });
});

const databaseFolder = (suffix = '') => join(cluster.dataFolder, `postgres${suffix}`);

async function bothAreUp(): Promise<boolean> {
  const { servers } = await cluster.ask<{ servers: { state: string }[] }>('broker.servers');
  return servers.filter(({ state }) => state === 'up').length === 2;
}

async function epoch(): Promise<string> {
  return (await cluster.ask<{ catalogEpoch: string }>('catalog.state')).catalogEpoch;
}

describe('a database that is put back to an older state', () => {
  it('F20: gets everything back from the media, what it had let go of and what it never knew', async () => {
    const old = await backUp();
    expect(await cluster.cli('image', 'duplicate', old, '--to', 'offsite')).toMatchObject({
      exitCode: 0,
    });
    await killAll();
    expect((await runCommand('cp', ['-a', databaseFolder(), databaseFolder('-old')])).code).toBe(0);
    await cluster.restart();
    const epochBefore = await epoch();
    // One copy of the old image goes, and there is a new image, of which one copy is far away.
    const expired = await cluster.cli('image', 'expire', old, '--copy', '1');
    expect(expired).toMatchObject({ json: { decisions: [{ decision: 'delete' }] } });
    await until(async () => (await views.copies(old))[0]!.state === 'DELETED', {
      what: 'a deletion',
    });
    const fresh = await backUp();
    const duplicated = await cluster.cli('image', 'duplicate', fresh, '--to', 'offsite');
    expect(duplicated).toMatchObject({ exitCode: 0 });

    await killAll();
    renameSync(databaseFolder(), databaseFolder('-new'));
    renameSync(databaseFolder('-old'), databaseFolder());
    await cluster.restart();
    await until(async () => (await epoch()) !== epochBefore, { what: 'a new epoch' });
    await until(bothAreUp, { what: 'both media servers to be known again' });
    const imported = await cluster.cli('catalog', 'import-storage');
    expect(imported).toMatchObject({ exitCode: 0, json: { images: 1, refused: [] } });
    await until(
      async () =>
        ((await cluster.cli('catalog', 'reconcile')).json as { findings: unknown[] }).findings
          .length === 0,
      { what: 'catalog and media to agree' },
    );
    // The file indexes come from the media servers, too.
    await until(
      async () => {
        const { images } = await cluster.ask<{ images: ImageView[] }>('catalog.images');
        return images.every(({ state }) => state === 'COMPLETE');
      },
      { what: 'every image to be complete' },
    );
    for (const one of [old, fresh]) {
      expect(await views.copies(one)).toMatchObject([{ state: 'COMPLETE' }, { state: 'COMPLETE' }]);
      expect(jobOf(await cluster.cli('image', 'verify', one))).toMatchObject({ status: 0 });
      const to = cluster.path(`restored-${one}`);
      expect(await cluster.cli('restore', one, '--to', to)).toMatchObject({ exitCode: 0 });
      expect(await compareTrees(tree, join(to, tree))).toEqual([]);
    }
    // Job numbers come a second time; a new backup is a new image all the same.
    expect([old, fresh]).not.toContain(await backUp());
  });
});

describe('after all this', () => {
  it('F12: every delivery that had no acknowledgement came again, and is acknowledged', async () => {
    const nats = await cluster.connect('topology');
    const name = '$JS.API.CONSUMER.INFO.HF_FRAG_COMMIT.catalog';
    await until(
      async () => {
        const info = (await nats.request(name, '', { timeout: 5_000 })).json<{
          num_ack_pending: number;
          num_pending: number;
        }>();
        return info.num_ack_pending === 0 && info.num_pending === 0;
      },
      { what: 'the catalog to have acknowledged all', ms: 90_000 },
    );
  });
});
