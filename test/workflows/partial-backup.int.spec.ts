import { randomBytes } from 'node:crypto';
import { appendFileSync, mkdirSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

import type { JobView } from '#contracts/job.js';
import { runCommand } from '../../apps/standalone/src/servers/system/command.js';
import { filesOf, imagesOf, jobOf, notesOf } from '../cluster/cluster-cli.js';
import { TestCluster } from '../cluster/cluster.js';
import { until } from '../support/until.js';
import { zstdCommand } from '../cluster/zstd-command.js';
import { compareTrees } from '../support/compare-trees.js';

const LARGE_BYTES = 32 * 2 ** 20;
/** A file of the system that opens for root and cannot be read, and does not open for others. */
const UNREADABLE = '/proc/1/mem';

let cluster: TestCluster;
beforeAll(async () => {
  // With few buffers the reader cannot be far ahead of what is compressed, and of what is told of it.
  cluster = await TestCluster.start({ env: { HOLDFAST_DATA_BUFFERS: '2' } });
});
afterAll(() => cluster?.stop());

describe('files that change, vanish or cannot be read during a backup', () => {
  let tree: string;
  let job: JobView;

  it("make it partial: the job's log names each, with what is the matter", async () => {
    tree = cluster.path('tree');
    mkdirSync(tree);
    const path = (name: string) => join(tree, name);
    writeFileSync(path('a-good'), 'good\n');
    // Such as takes long to compress.
    for (const name of ['b-shrinks', 'c-grows'])
      writeFileSync(path(name), randomBytes(LARGE_BYTES / 2).toString('hex'));
    writeFileSync(path('d-vanishes'), 'soon gone\n');
    writeFileSync(path('e-good'), 'good, too\n');

    const running = cluster.startCli('backup', '--level', '19', tree, UNREADABLE);
    const readingOf = (name: string) =>
      running.records().some((record) => {
        const { progress } = (record as { job: JobView }).job;
        return progress.currentPath.endsWith(name) && progress.bytes < 3 * LARGE_BYTES;
      });
    await until(() => readingOf('b-shrinks'), { what: 'b-shrinks to be read', ms: 60_000 });
    truncateSync(path('b-shrinks'), 0);
    rmSync(path('d-vanishes'));
    // All the time, so whenever it is read it grows meanwhile.
    const growing = setInterval(() => appendFileSync(path('c-grows'), 'more'), 20);
    const result = await running.end().finally(() => clearInterval(growing));
    expect(result.exitCode).toBe(1);
    job = jobOf(result);
    expect(job).toMatchObject({ state: 'done', status: 1 });
    const notes = notesOf(result);
    const noteOf = (name: string) => notes.filter((text) => text.includes(name)).join('\n');
    expect(noteOf('b-shrinks')).toMatch(/ended at byte|shrank/);
    expect(noteOf('c-grows')).toMatch(/grew/);
    expect(noteOf('d-vanishes')).not.toBe('');
    expect(noteOf(UNREADABLE)).toMatch(/cannot be (read|opened)|EACCES|EIO/);
    expect(noteOf('good')).toBe('');
  });

  it('leave an archive that is right', async () => {
    expect(imagesOf(await cluster.cli('images'))[0]).toMatchObject({ state: 'COMPLETE' });
    const files = filesOf(await cluster.cli('files', job.imageId!, tree));
    expect(files.map(({ path, size }) => [path.slice(tree.length), size])).toEqual([
      ['', expect.any(Number)],
      ['/a-good', 5],
      ['/b-shrinks', LARGE_BYTES],
      ['/c-grows', expect.any(Number)],
      ['/e-good', 10],
    ]);
    const script = 'cat *.tar.zst | "$ZSTD" -d | tar -t';
    const listed = await runCommand('sh', ['-ec', script], {
      cwd: join(cluster.images, job.imageId!, 'c1'),
      env: { PATH: process.env['PATH'], ZSTD: await zstdCommand() },
    });
    expect(listed).toMatchObject({ code: 0, stderr: '' });
    expect(listed.stdout).toContain('e-good');
  });

  it('are restored as far as they were read, and the restore says so', async () => {
    const to = cluster.path('restored');
    const result = await cluster.cli('restore', job.imageId!, tree, '--to', to);
    expect(result.exitCode).toBe(1);
    expect(notesOf(result).join('\n')).toContain('b-shrinks');
    const there = join(to, tree);
    expect(statSync(join(there, 'b-shrinks')).size).toBe(LARGE_BYTES);
    const ignore = (path: string): boolean => ['b-shrinks', 'c-grows'].includes(path);
    const differences = await compareTrees(tree, there, { ignore });
    expect(differences.filter(({ path }) => path !== '')).toEqual([]);
    const head = { cwd: cluster.folder };
    const limit = String(LARGE_BYTES);
    const [now, then] = [join(tree, 'c-grows'), join(there, 'c-grows')];
    expect(await runCommand('cmp', ['-n', limit, now, then], head)).toMatchObject({ code: 0 });
  });

  it('are backed up anew by the next incremental', async () => {
    const next = await cluster.cli('backup', '--type', 'differential', tree, UNREADABLE);
    const image = jobOf(next).imageId!;
    const to = cluster.path('restored-next');
    await cluster.cli('restore', image, tree, '--to', to);
    expect(await compareTrees(tree, join(to, tree))).toEqual([]);
  });
});
