import { execFileSync } from 'node:child_process';
import { appendFileSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

import { jobOf, logOf } from '../cluster/cluster-cli.js';
import { ClusterViews } from '../cluster/cluster-views.js';
import { TestCluster, type ClusterProcess } from '../cluster/cluster.js';
import { makeNoiseTree } from '../cluster/noise-tree.js';
import { until } from '../support/until.js';
import { compareTrees } from '../support/compare-trees.js';
import { makeOddTree, type OddTree } from '../support/odd-tree.js';
import { removeFolder, temporaryFolder } from '../support/temporary-folder.js';

const MIB = 2 ** 20;
const SCRIPT = fileURLToPath(new URL('../../docs/read-chunks.sh', import.meta.url));
const SILENCE_MS = 5_000;

let cluster: TestCluster;
let folder: string;
let volume: string;
/** At another media server. */
let lean: string;
let tree: string;
let odd: OddTree;
const views = new ClusterViews(() => cluster);

/** A volume that deduplicates, one that does not at another media server, and deletions within seconds. */
beforeAll(async () => {
  folder = await temporaryFolder();
  volume = join(folder, 'chunks');
  const offsite = join(folder, 'offsite');
  lean = join(folder, 'lean');
  cluster = await TestCluster.start({
    args: [
      ...['--volume', `shared=dedup:${volume}`],
      ...['--media-server', `far:offsite=${offsite},lean=dedup:${lean}`],
    ],
    env: {
      HOLDFAST_SILENCE_MS_MAX: String(SILENCE_MS),
      HOLDFAST_RETRY_FIRST_MS: '500',
      HOLDFAST_DELETE_GRACE: '1s',
      HOLDFAST_GRANT_EVERY: '100ms',
      HOLDFAST_TRASH_GRACE: '1s',
    },
  });
  const units = {
    default: ['media1', 'shared'],
    remote: ['far', 'offsite'],
    lean: ['far', 'lean'],
  };
  for (const [name, [mediaId, pool]] of Object.entries(units)) {
    const file = cluster.path(`${name}.json`);
    writeFileSync(file, JSON.stringify({ name, mediaId, pool, fragmentBytesMax: 8 * MIB }));
    expect(await cluster.cli('unit', 'put', '-f', file)).toMatchObject({ exitCode: 0 });
  }
  tree = cluster.path('tree');
  makeNoiseTree(tree, { files: 1_500, bytesEach: 9_000 });
  makeNoiseTree(join(tree, 'large'), { files: 2, bytesEach: 9 * MIB });
  odd = await makeOddTree(cluster.path('odd'));
});
afterAll(async () => {
  await cluster?.stop();
  if (folder) await removeFolder(folder);
});

interface Delivery {
  readonly imageId: string;
  readonly archiveBytes: number;
  readonly newBytes: number;
}

async function logOfJob(job: number): Promise<string> {
  return logOf(await cluster.cli('jobs', 'show', String(job))).join('\n');
}

/** A full, and what its log says of what came. */
async function backUp(...paths: readonly string[]): Promise<Delivery> {
  const job = jobOf(await cluster.cli('backup', ...paths));
  expect(job).toMatchObject({ status: 0 });
  const line = /deduplicated: (\d+) bytes of archive came as (\d+) new bytes/;
  const [, archiveBytes, newBytes] = line.exec(await logOfJob(job.job))!;
  return { imageId: job.imageId!, archiveBytes: Number(archiveBytes), newBytes: Number(newBytes) };
}

let restores = 0;

async function expectRestored(imageId: string, source = tree, as = source): Promise<void> {
  const to = cluster.path(`restored-${(restores += 1)}`);
  expect(await cluster.cli('restore', imageId, '--to', to)).toMatchObject({ exitCode: 0 });
  const ignore = (path: string | Buffer) => odd.sockets.includes(path as string);
  expect(await compareTrees(as, join(to, source), { ignore })).toEqual([]);
}

/** With nothing of ours: a script of a few lines, and tar. */
async function expectReadByScript(imageId: string, copy: number): Promise<void> {
  const to = cluster.path(`read-${imageId}-${copy}`);
  mkdirSync(to);
  const read = 'sh "$0" "$1" "$2" "$3" | tar -xpf - -C "$4"';
  execFileSync('sh', ['-c', read, SCRIPT, volume, imageId, String(copy), to]);
  expect(await compareTrees(tree, join(to, tree))).toEqual([]);
}

/** Has the first copy of an image deleted. */
async function expectDeleted(imageId: string): Promise<void> {
  await cluster.cli('image', 'expire', imageId, '--copy', '1');
  await until(async () => (await views.copies(imageId))[0]!.state === 'DELETED', {
    what: 'the copy to be deleted',
  });
}

const containerBytes = (folder = volume) =>
  Number(
    execFileSync('sh', ['-c', `du -sb ${folder}/chunks/[0-9a-f]* | awk '{s+=$1} END {print s+0}'`]),
  );

describe('fulls in a volume that deduplicates', () => {
  let first: Delivery;
  let second: Delivery;
  let before: string;

  it('come back in every detail', async () => {
    const { imageId } = await backUp(odd.root);
    await expectRestored(imageId, odd.root);
  });

  it('send what they have not in common with earlier ones', async () => {
    first = await backUp(tree);
    expect(first.newBytes).toBeGreaterThan(30 * MIB);
    const same = await backUp(tree);
    expect(same).toMatchObject({ archiveBytes: first.archiveBytes, newBytes: 0 });

    before = cluster.path('before');
    execFileSync('cp', ['-a', tree, before]);
    appendFileSync(join(tree, 'folder-0/file-17'), 'more');
    appendFileSync(join(tree, 'large/folder-0/file-1'), 'more');
    renameSync(join(tree, 'folder-0/file-100'), join(tree, 'folder-0/renamed'));
    rmSync(join(tree, 'folder-1/file-1200'));
    mkdirSync(join(tree, 'new'));
    writeFileSync(join(tree, 'new/file'), 'new');
    const had = containerBytes();
    second = await backUp(tree);
    expect(second.newBytes).toBeGreaterThan(9_000);
    // Fragments of 8 MiB: what goes and comes moves their bounds, and chunks of up to 2 MiB there are new.
    expect(second.newBytes).toBeLessThan(10 * MIB);
    expect(containerBytes() - had).toBeLessThan(second.newBytes + 64 * 1024);
  });

  it('are restored as they were, and verified', async () => {
    await expectRestored(second.imageId);
    await expectRestored(first.imageId, tree, before);
    const verified = jobOf(await cluster.cli('image', 'verify', second.imageId));
    expect(verified).toMatchObject({ type: 'verify', status: 0 });
    const [copy] = await views.copies(second.imageId);
    expect(copy!.fragments).toBeGreaterThan(3);
    expect(verified.progress.fragments).toBe(copy!.fragments);
    // What every reader sees are the frames, not what lies there instead of them.
    const fragments = await views.fragments(second.imageId, 1);
    const stored = fragments.reduce((sum, { storedBytes }) => sum + storedBytes, 0);
    expect(stored).toBeGreaterThan(second.archiveBytes);
  });

  it('are read by a script that uses nothing of ours, also where they came from another volume', async () => {
    await expectReadByScript(second.imageId, 1);
    const remote = jobOf(await cluster.cli('backup', '--storage', 'remote', tree));
    const duplicated = await cluster.cli('image', 'duplicate', remote.imageId!, '--to', 'shared');
    expect(jobOf(duplicated)).toMatchObject({ status: 0, message: '' });
    await expectReadByScript(remote.imageId!, 2);
  });

  it('are duplicated to another media server by what is not there, and restored from there', async () => {
    const other = cluster.path('other');
    makeNoiseTree(other, { files: 300, bytesEach: 9_000 });
    makeNoiseTree(join(other, 'large'), { files: 1, bytesEach: 9 * MIB });
    const copyOf = async ({ imageId }: Delivery) => {
      const duplicated = await cluster.cli('image', 'duplicate', imageId, '--to', 'lean');
      expect(jobOf(duplicated)).toMatchObject({ status: 0, message: '' });
      return containerBytes(lean);
    };
    const whole = await copyOf(await backUp(other));
    expect(whole).toBeGreaterThan(11 * MIB);
    appendFileSync(join(other, 'folder-0/file-17'), 'more');
    const changed = await backUp(other);
    expect((await copyOf(changed)) - whole).toBeLessThan(changed.newBytes + 64 * 1024);
    const verified = jobOf(await cluster.cli('image', 'verify', changed.imageId));
    expect(verified).toMatchObject({ status: 0 });
    await expectDeleted(changed.imageId);
    await expectRestored(changed.imageId, other);
  });

  it('are duplicated to a volume that does not, and restored from there', async () => {
    const duplicated = await cluster.cli('image', 'duplicate', second.imageId, '--to', 'offsite');
    expect(jobOf(duplicated)).toMatchObject({ status: 0, message: '' });
    const [one, two] = await Promise.all([1, 2].map((n) => views.fragments(second.imageId, n)));
    const digests = (list: typeof one) => list!.map(({ digest }) => digest);
    expect(digests(two)).toEqual(digests(one));
    await expectDeleted(second.imageId);
    await expectRestored(second.imageId);
  });

  it('leave what others need when they expire and what is not needed is collected', async () => {
    const third = await backUp(tree);
    const had = containerBytes();
    const only = cluster.path('only');
    makeNoiseTree(only, { files: 20, bytesEach: MIB });
    const gone = await backUp(only);
    expect(containerBytes()).toBeGreaterThan(had + 20 * MIB);
    for (const { imageId } of [first, gone]) {
      await cluster.cli('image', 'expire', imageId, '--now');
      await until(async () => (await views.copies(imageId))[0]!.state === 'DELETED', {
        what: 'the image to be deleted',
      });
    }
    await until(
      async () => {
        const { volumes } = await cluster.ask<{ volumes: { problem: string | null }[] }>(
          'media.collect.media1',
        );
        expect(volumes.map(({ problem }) => problem)).toEqual([null]);
        return containerBytes() < had + 2 * MIB;
      },
      { what: 'chunks that nobody needs to be collected' },
    );
    await expectRestored(third.imageId);
    const verified = jobOf(await cluster.cli('image', 'verify', third.imageId));
    expect(verified).toMatchObject({ status: 0 });
  });
});

describe.each<ClusterProcess>(['media', 'agent'])('SIGKILL for the %s alone', (name) => {
  it('in the middle of a full: the next attempt goes on, and asks for what had arrived', async () => {
    const source = cluster.path(`slow-${name}`);
    makeNoiseTree(source, { files: 40, bytesEach: MIB, compressible: true });
    const started = await cluster.cli('backup', '--level', '19', '--no-wait', source);
    const { job } = started.json as { job: number };
    await until(async () => (await views.job(job)).progress.storedBytes > 8 * MIB, {
      what: 'the backup to have stored some fragments',
    });
    expect(await views.job(job)).toMatchObject({ state: 'active' });
    await cluster.killProcess(name);
    await until(async () => (await views.job(job)).state === 'done', {
      what: 'the job to end',
      ms: 2 * SILENCE_MS + 180_000,
    });
    const ended = await views.job(job);
    expect(ended).toMatchObject({ status: 0, attempt: 2 });
    const log = await logOfJob(job);
    expect(log).toMatch(/going on with image \S+ at fragment \d+/);
    await expectRestored(ended.imageId!, source);
    const again = await backUp(source);
    expect(again.newBytes).toBeLessThan(10 * MIB);
    await expectRestored(again.imageId, source);
  });
});
