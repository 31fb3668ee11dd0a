import { execFileSync, spawnSync } from 'node:child_process';
import {
  appendFileSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

import type { BytePath } from '../../apps/agent/src/posix/byte-path.js';
import type { ImageView } from '#contracts/image.js';
import type { JobView, LogLine } from '#contracts/job.js';
import { filesOf, imagesOf, jobOf, logOf, type CliResult } from '../cluster/cluster-cli.js';
import { CLIENT, TestCluster } from '../cluster/cluster.js';
import { makeNoiseTree } from '../cluster/noise-tree.js';
import { until } from '../support/until.js';
import { compareTrees, type Difference } from '../support/compare-trees.js';
import { makeOddTree, mutateOddTree, type OddTree } from '../support/odd-tree.js';
import { removeFolder, temporaryFolder } from '../support/temporary-folder.js';

const MIB = 2 ** 20;

let cluster: TestCluster;
let folder: string;
let restores = 0;

beforeAll(async () => {
  folder = await temporaryFolder();
  const [offsite, chunks] = [join(folder, 'offsite'), join(folder, 'chunks')];
  cluster = await TestCluster.start({
    args: ['--media-server', `far:offsite=${offsite},chunks=dedup:${chunks}`],
    env: { HOLDFAST_SILENCE_MS_MAX: '5000', HOLDFAST_RETRY_FIRST_MS: '500' },
  });
  const units = {
    default: ['media1', 'main'],
    remote: ['far', 'offsite'],
    chunks: ['far', 'chunks'],
  };
  for (const [name, [mediaId, pool]] of Object.entries(units)) {
    const file = cluster.path(`${name}.json`);
    writeFileSync(file, JSON.stringify({ name, mediaId, pool, fragmentBytesMax: 4 * MIB }));
    expect(await cluster.cli('unit', 'put', '-f', file)).toMatchObject({ exitCode: 0 });
  }
});
afterAll(async () => {
  await cluster?.stop();
  if (folder) await removeFolder(folder);
});

async function backUp(...args: readonly string[]): Promise<string> {
  // So that a second's file times differ, and image times do.
  await sleep(1_100);
  const result = await cluster.cli('backup', ...args);
  expect(result).toMatchObject({ exitCode: 0 });
  return jobOf(result).imageId!;
}

async function restore(path: string, ...args: readonly string[]): Promise<string> {
  const to = cluster.path(`restored-${(restores += 1)}`);
  expect(await cluster.cli('restore', ...args, '--to', to)).toMatchObject({ exitCode: 0 });
  return join(to, path);
}

async function image(imageId: string): Promise<ImageView> {
  return (await cluster.ask<{ image: ImageView }>('catalog.image', { imageId })).image;
}

async function jobNumber(job: number): Promise<JobView> {
  return (await cluster.ask<{ job: JobView }>('jobs.get', { job })).job;
}

async function ended(job: number): Promise<JobView> {
  await until(async () => (await jobNumber(job)).state === 'done', {
    ...{ what: `job ${job} to end`, ms: 120_000 },
  });
  return jobNumber(job);
}

function timeOf(imageId: string): number {
  return Number(imageId.slice(imageId.lastIndexOf('_') + 1));
}

/** Who has said something in the log of a job. */
async function speakersOf(job: number): Promise<Set<string>> {
  const { log } = (await cluster.cli('jobs', 'show', String(job))).json as { log: LogLine[] };
  return new Set(log.map((line) => line.process));
}

function dataFiles(imageId: string): string[] {
  const folder = join(cluster.images, imageId, 'c1');
  const names = readdirSync(folder).filter((name) => name.endsWith('.tar.zst'));
  return names.sort().map((name) => join(folder, name));
}

/** What tar says of the archive that the fragments make, without anything of ours. */
function listedByTar(imageId: string): string[] {
  const archive = spawnSync('zstd', ['-dcq', ...dataFiles(imageId)], { maxBuffer: 2 ** 30 });
  expect(archive.status).toBe(0);
  const listed = spawnSync('tar', ['-tf', '-'], { input: archive.stdout, maxBuffer: 2 ** 26 });
  expect([listed.status, String(listed.stderr)]).toEqual([0, '']);
  return String(listed.stdout).trimEnd().split('\n');
}

describe('a synthetic full of a tree with every odd file', () => {
  let tree: OddTree;
  let tip: string;
  let chained: string;
  let synthetic: string;
  let result: CliResult;

  const differences = (a: string, b: string): Promise<Difference[]> => {
    const ignore = (path: BytePath): boolean => tree.sockets.includes(path);
    return compareTrees(a, b, { ignore });
  };

  beforeAll(async () => {
    tree = await makeOddTree(cluster.path('tree'));
    const at = (...names: string[]) => join(tree.root, ...names);
    mkdirSync(at('moved/below'), { recursive: true });
    for (const name of ['moved/one', 'moved/below/two', 'becomes-folder']) {
      writeFileSync(at(name), `content of ${name}\n`);
    }
    mkdirSync(at('becomes-file'));
    writeFileSync(at('becomes-file/inner'), 'inner\n');
    await backUp(tree.root);
    mutateOddTree(tree);
    renameSync(at('moved'), at('was-moved'));
    await backUp('--type', 'differential', tree.root);
    rmSync(at('becomes-folder'));
    mkdirSync(at('becomes-folder'));
    writeFileSync(at('becomes-folder/inner'), 'new\n');
    rmSync(at('becomes-file'), { recursive: true });
    writeFileSync(at('becomes-file'), 'a file now\n');
    appendFileSync(at('regular/text'), 'more\n');
    tip = await backUp('--type', 'differential', tree.root);
    chained = await restore(tree.root, tip);
    result = await cluster.cli('backup', '--synthetic', tree.root);
    synthetic = jobOf(result).imageId!;
  });

  it('is a full of its own, dated behind the newest image, and no agent had a part in it', async () => {
    const job = jobOf(result);
    expect(job).toMatchObject({ type: 'backup', state: 'done', status: 0, kind: 'full' });
    expect(await image(synthetic)).toMatchObject({
      ...{ kind: 'full', state: 'COMPLETE', baseImageId: null, syntheticOf: tip },
    });
    expect(timeOf(synthetic)).toBe(timeOf(tip) + 1);
    expect(await speakersOf(job.job)).toEqual(new Set(['jobs', 'media']));
    expect(job.progress.files).toBe((await image(synthetic)).files);
  });

  it('restores to what its chain restores to, alone and by time', async () => {
    const exact = await restore(tree.root, synthetic, '--only');
    expect(await differences(chained, exact)).toEqual([]);
    expect(await differences(tree.root, exact)).toEqual([]);
    const now = await restore(tree.root, '--client', CLIENT, '--at', 'now');
    expect(await differences(tree.root, now)).toEqual([]);
  });

  it('is an archive that zstd and tar read', () => {
    const listed = listedByTar(synthetic);
    const inTree = `${tree.root.slice(1)}/`;
    expect(listed).toContain(`${inTree}becomes-file`);
    expect(listed).toContain(`${inTree}becomes-folder/inner`);
    expect(listed.filter((path) => path.includes('/moved/'))).toEqual([]);
  });

  it('is whole where it lies, and its job holds nothing of the chain any more', async () => {
    const verified = jobOf(await cluster.cli('image', 'verify', synthetic));
    expect(verified).toMatchObject({ status: 0 });
    const { copies } = await cluster.ask<{ copies: { pinned: number }[] }>('catalog.copies', {
      imageId: tip,
    });
    expect(copies.map(({ pinned }) => pinned)).toEqual([0]);
  });

  it('is what the next incremental builds on, by the listing of the newest image', async () => {
    appendFileSync(join(tree.root, 'regular/text'), 'and more\n');
    const next = await backUp('--type', 'differential', tree.root);
    const made = await image(next);
    expect(made).toMatchObject({ kind: 'differential', baseImageId: synthetic });
    expect(made.files).toBeLessThan(5);
    expect(await differences(tree.root, await restore(tree.root, next))).toEqual([]);
  });

  it('can be made again from itself and what came since', async () => {
    const again = jobOf(await cluster.cli('backup', '--synthetic', tree.root));
    expect(again).toMatchObject({ status: 0 });
    const exact = await restore(tree.root, again.imageId!, '--only');
    expect(await differences(tree.root, exact)).toEqual([]);
  });

  it('is refused where there is no incremental since the last full, or no image at all', async () => {
    const nothing = jobOf(await cluster.cli('backup', '--synthetic', tree.root));
    expect(nothing).toMatchObject({ status: 607, imageId: null });
    expect(nothing.message).toContain('there is no incremental since');
    const none = jobOf(await cluster.cli('backup', '--synthetic', '/no/such/path'));
    expect(none).toMatchObject({ status: 607 });
    const wrong = await cluster.cli('backup', '--synthetic', '--type', 'differential', tree.root);
    expect(wrong.exitCode).not.toBe(0);
  });
});

describe('hard links of a synthetic full', () => {
  it('become a file where the path with the data is gone, and stay links of each other', async () => {
    const root = cluster.path('linked');
    mkdirSync(root);
    const at = (name: string) => join(root, name);
    writeFileSync(at('a-data'), Buffer.alloc(3 * MIB, 'the data of four links '));
    for (const name of ['b-link', 'c-link', 'd-link']) linkSync(at('a-data'), at(name));
    writeFileSync(at('kept'), 'kept\n');
    linkSync(at('kept'), at('kept-too'));
    await backUp(root);
    // Left out from now on: the index says that it is gone, and the other links are as they were.
    const left = ['--exclude', 'a-data'];
    writeFileSync(at('new'), 'new\n');
    const tip = await backUp('--type', 'differential', ...left, root);
    const chained = await restore(root, tip);
    const made = jobOf(await cluster.cli('backup', '--synthetic', root));
    expect(made).toMatchObject({ status: 0 });
    const exact = await restore(root, made.imageId!, '--only');
    expect(await compareTrees(chained, exact)).toEqual([]);
    const inode = (name: string) => statSync(join(exact, name)).ino;
    expect([inode('c-link'), inode('d-link')]).toEqual([inode('b-link'), inode('b-link')]);
    expect(inode('kept')).toBe(inode('kept-too'));
    const files = filesOf(await cluster.cli('files', made.imageId!, root));
    expect(files.map(({ path, type }) => `${type} ${path.slice(root.length)}`)).toEqual([
      ...['d ', 'f /b-link', 'h /c-link', 'h /d-link', 'f /kept', 'h /kept-too', 'f /new'],
    ]);
    expect(readFileSync(join(exact, 'b-link')).equals(readFileSync(at('a-data')))).toBe(true);
    expect(listedByTar(made.imageId!)).not.toContain(`${root.slice(1)}/a-data`);
  });

  it('become what the path with the data was, also where that is no regular file', async () => {
    const root = cluster.path('linked-others');
    mkdirSync(root);
    const at = (name: string) => join(root, name);
    symlinkSync('somewhere', at('a-symlink'));
    execFileSync('mkfifo', [at('a-fifo')]);
    for (const name of ['symlink', 'fifo']) linkSync(at(`a-${name}`), at(`b-${name}`));
    await backUp(root);
    writeFileSync(at('new'), 'new\n');
    const tip = await backUp('--type', 'differential', '--exclude', 'a-*', root);
    const chained = await restore(root, tip);
    const made = jobOf(await cluster.cli('backup', '--synthetic', root));
    expect(made).toMatchObject({ status: 0 });
    const exact = await restore(root, made.imageId!, '--only');
    expect(await compareTrees(chained, exact)).toEqual([]);
    const files = filesOf(await cluster.cli('files', made.imageId!, root));
    expect(files.map(({ path, type }) => `${type} ${path.slice(root.length)}`)).toEqual([
      ...['d ', 'p /b-fifo', 'l /b-symlink', 'f /new'],
    ]);
  });
});

describe('a synthetic full on a volume that deduplicates', () => {
  it('is made there of what lies there and elsewhere, of the chunks of its full', async () => {
    const root = cluster.path('chunked');
    makeNoiseTree(root, { files: 40, bytesEach: MIB / 2 });
    await backUp('--storage', 'chunks', root);
    rmSync(join(root, 'folder-0/file-7'));
    writeFileSync(join(root, 'folder-0/file-8'), 'new');
    await backUp('--type', 'differential', root);
    const made = jobOf(await cluster.cli('backup', '--synthetic', '--storage', 'chunks', root));
    expect(made).toMatchObject({ status: 0, mediaId: 'far' });
    const log = logOf(await cluster.cli('jobs', 'show', String(made.job))).join('\n');
    const [, all, fresh] = /deduplicated: (\d+) bytes of archive came as (\d+) new bytes/.exec(
      log,
    )!;
    // What fragments cut apart, which end at other places than those of the backup.
    expect(Number(fresh)).toBeLessThan(Number(all) / 3);
    const exact = await restore(root, made.imageId!, '--only');
    expect(await compareTrees(root, exact)).toEqual([]);
    const verified = jobOf(await cluster.cli('image', 'verify', made.imageId!));
    expect(verified).toMatchObject({ status: 0 });
  });
});

describe('a synthetic schedule of a policy with several streams', () => {
  it('makes a full of each, which together are the client as it was', async () => {
    const roots = ['stream-a', 'stream-b'].map((name) => cluster.path(name));
    for (const root of roots) {
      mkdirSync(root);
      writeFileSync(join(root, 'stays'), root);
      writeFileSync(join(root, 'goes'), root);
    }
    const file = cluster.path('streams.json');
    const policy = {
      ...{ name: 'streams', clients: [CLIENT], selections: roots, multipleStreams: true },
      schedules: [
        { name: 'full', type: 'full' },
        { name: 'daily', type: 'cumulative' },
        { name: 'monthly', type: 'full', synthetic: true },
      ],
    };
    writeFileSync(file, JSON.stringify(policy));
    expect(await cluster.cli('policy', 'create', '-f', file)).toMatchObject({ exitCode: 0 });
    const run = async (schedule: string) => {
      await sleep(2_100);
      const started = await cluster.cli('policy', 'run', 'streams', '--schedule', schedule);
      const { jobs } = started.json as { jobs: { job: number }[] };
      expect(await ended(jobs[0]!.job)).toMatchObject({ status: 0, children: 2 });
    };
    await run('full');
    for (const root of roots) {
      rmSync(join(root, 'goes'));
      writeFileSync(join(root, 'comes'), root);
    }
    await run('daily');
    await run('monthly');
    const images = imagesOf(await cluster.cli('images', '--policy', 'streams'));
    expect(images.filter(({ syntheticOf }) => syntheticOf)).toHaveLength(2);
    const at = ['--client', CLIENT, '--at', 'now', '--policy', 'streams'];
    const to = await restore('', ...at);
    for (const root of roots) expect(await compareTrees(root, join(to, root))).toEqual([]);
  });
});

describe('a synthetic schedule', () => {
  let root: string;

  const policy = () => ({
    ...{ name: 'nightly', clients: [CLIENT], selections: [root] },
    schedules: [
      { name: 'full', type: 'full' },
      { name: 'daily', type: 'differential' },
      { name: 'monthly', type: 'full', synthetic: true, storage: 'remote', retention: '52w' },
    ],
  });
  const run = async (schedule: string): Promise<JobView> => {
    await sleep(1_100);
    const started = await cluster.cli('policy', 'run', 'nightly', '--schedule', schedule);
    const { jobs } = started.json as { jobs: { job: number }[] };
    return jobNumber(jobs[0]!.job);
  };

  beforeAll(async () => {
    root = cluster.path('large');
    makeNoiseTree(root, { files: 250, bytesEach: MIB });
    const file = cluster.path('nightly.json');
    writeFileSync(file, JSON.stringify(policy()));
    expect(await cluster.cli('policy', 'create', '-f', file)).toMatchObject({ exitCode: 0 });
    expect(await ended((await run('full')).job)).toMatchObject({ status: 0 });
    const [folder] = readdirSync(root).sort();
    const [first] = readdirSync(join(root, folder!)).sort();
    rmSync(join(root, folder!, first!));
    writeFileSync(join(root, 'added'), Buffer.alloc(5 * MIB, 'added '));
    expect(await ended((await run('daily')).job)).toMatchObject({ status: 0 });
  });

  it('whose media server is killed goes on in the same job, behind what is committed', async () => {
    const { job } = await run('monthly');
    await until(async () => (await jobNumber(job)).progress.fragments > 5, {
      what: 'some fragments to be there',
    });
    await cluster.killProcess('media-far');
    const done = await ended(job);
    expect(done).toMatchObject({ type: 'backup', status: 0, attempt: 2, mediaId: 'far' });
    const log = logOf(await cluster.cli('jobs', 'show', String(job))).join('\n');
    expect(log).toMatch(/going on with image \S+ at fragment ([6-9]|\d\d)/);
    expect(log).toContain('synthesizing from ');
    const made = await image(done.imageId!);
    expect(made).toMatchObject({ schedule: 'monthly', state: 'COMPLETE' });
    expect(made.fragments).toBeGreaterThan(60);
    const exact = await restore(root, done.imageId!, '--only');
    expect(await compareTrees(root, exact)).toEqual([]);
    expect(jobOf(await cluster.cli('image', 'verify', done.imageId!))).toMatchObject({ status: 0 });
  });

  it('is cancelled with 150, and what it has made counts as nothing', async () => {
    appendFileSync(join(root, 'added'), 'more');
    expect(await ended((await run('daily')).job)).toMatchObject({ status: 0 });
    const { job } = await run('monthly');
    await until(async () => (await jobNumber(job)).progress.fragments > 1, {
      what: 'some fragments to be there',
    });
    expect(await cluster.cli('jobs', 'cancel', String(job))).toMatchObject({ exitCode: 0 });
    const done = await ended(job);
    expect(done).toMatchObject({ status: 150 });
    expect(await image(done.imageId!)).toMatchObject({ state: 'INCOMPLETE' });
    const [newest] = imagesOf(await cluster.cli('images', '--policy', 'nightly')).filter(
      ({ state }) => state === 'COMPLETE',
    );
    expect(newest).toMatchObject({ kind: 'differential' });
  });
});
