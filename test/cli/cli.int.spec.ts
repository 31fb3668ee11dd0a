import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { brokerServers } from '#contracts/broker.js';
import { healthEndpoint } from '#contracts/health.js';
import {
  catalogFiles,
  catalogFind,
  catalogFragments,
  catalogImage,
  catalogImages,
} from '#contracts/image.js';
import { jobsBackup, jobsCancel, jobsGet, jobsList, jobsRestore } from '#contracts/job.js';
import { policyDue, policyGet, policyPut, policyRun, policySpec } from '#contracts/policy.js';
import { NotFound, PermanentError } from '#kernel/errors.js';
import { doneJob, jobViewOf } from '../../apps/cli/src/testing/job-views.js';
import { FakeCluster } from './fake-cluster.js';
import { FILE, FRAGMENT, IMAGE } from './answers.js';

let cluster: FakeCluster;
let folder: string;

beforeAll(async () => {
  cluster = await FakeCluster.start();
  folder = mkdtempSync(join(tmpdir(), 'holdfast-cli-test-'));
});

beforeEach(() => {
  cluster.asked.length = 0;
});

afterAll(async () => {
  await cluster.stop();
  rmSync(folder, { recursive: true });
});

/** A job manager in which job 7 is what the test says. */
function jobIs(job: ReturnType<typeof jobViewOf>, log: unknown[] = []): void {
  cluster.answer(jobsGet, ({ logAfter }) => ({
    job,
    log: log.slice(Number(logAfter)),
    logLines: log.length,
  }));
}

const file = (name: string, text: string) => {
  writeFileSync(join(folder, name), text);
  return join(folder, name);
};

describe('backup', () => {
  it('asks for what the options say, waits, and says how it ended', async () => {
    cluster.answer(jobsBackup, () => ({ job: 7 }));
    jobIs(doneJob(0));
    const run = await cluster.run(
      ...['backup', 'data', '/etc', '--type', 'differential', '--exclude', '*.tmp'],
      ...['--exclude', 'cache', '--level', '3', '--cross-mount-points'],
    );
    expect(run).toMatchObject({ code: 0, err: '' });
    expect(run.out).toContain('Image web1_1790000000 (full): 1,200 files, 5.0 MiB');
    expect(cluster.inputsOf(jobsBackup)).toEqual([
      {
        policy: 'on-demand',
        schedule: 'user',
        client: 'web1',
        kind: 'differential',
        selections: ['/home/me/data', '/etc'],
        excludes: ['*.tmp', 'cache'],
        storage: 'default',
        retention: '14d',
        priority: 0,
        crossMountPoints: true,
        compressionLevel: 3,
        requestId: expect.any(String),
      },
    ]);
  });

  it('hears of progress and of the end by events', async () => {
    cluster.answer(jobsBackup, () => ({ job: 7 }));
    jobIs(jobViewOf({ state: 'queued', operation: 'unit default is busy' }));
    const running = cluster.run('backup', '/etc', '--json');
    await cluster.untilAsked(jobsGet);
    cluster.publishJob(jobViewOf());
    cluster.publishJob(doneJob(0, { job: 8 }));
    cluster.publishJob(doneJob(0));
    const { code, out } = await running;
    const records = out
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(records.map(({ type, job }) => `${type} ${job.state}`)).toEqual([
      'progress queued',
      'progress active',
      'progress done',
      'result done',
    ]);
    expect(records.at(-1)).toMatchObject({ job: { job: 7, status: 0 }, notes: [], exitCode: 0 });
    expect(code).toBe(0);
  });

  it('that is partial shows the warnings and gives 1', async () => {
    cluster.answer(jobsBackup, () => ({ job: 7 }));
    const line = { at: '2026-01-01T00:00:02.000Z', attempt: 1, process: 'agent', pid: 9 };
    jobIs(doneJob(1), [
      { ...line, severity: 'info', text: 'begin writing' },
      { ...line, severity: 'warning', text: '/etc/shadow cannot be read' },
    ]);
    const run = await cluster.run('backup', '/etc');
    expect(run.code).toBe(1);
    expect(run.out).toContain('warning (agent): /etc/shadow cannot be read');
    expect(run.out).not.toContain('begin writing');
    expect(run.out).toContain('Job 7: status 1, the requested operation was partially successful.');
  });

  it('that fails says so on standard error and gives 2', async () => {
    cluster.answer(jobsBackup, () => ({ job: 7 }));
    jobIs(doneJob(129, { imageId: null }));
    const run = await cluster.run('backup', '/etc');
    expect(run).toMatchObject({ code: 2, out: '' });
    expect(run.err).toContain('Job 7: status 129, Disk storage unit is full.');
    expect(run.err).toContain('name another with --storage');
  });

  it('goes on without its onlooker after ctrl-C', async () => {
    cluster.answer(jobsBackup, () => ({ job: 7 }));
    jobIs(jobViewOf());
    const running = cluster.run('backup', '/etc');
    await cluster.untilAsked(jobsGet);
    await cluster.pressCtrlC();
    const run = await running;
    expect(run.code).toBe(130);
    expect(run.err).toContain('Job 7 goes on. Watch it with: holdfast jobs watch 7');
    expect(cluster.inputsOf(jobsCancel)).toEqual([]);
  });

  it('with --no-wait only submits', async () => {
    cluster.answer(jobsBackup, () => ({ job: 7 }));
    expect((await cluster.run('backup', '/etc', '--no-wait', '--json')).out).toBe('{"job":7}\n');
    expect(cluster.inputsOf(jobsGet)).toEqual([]);
  });
});

describe('restore', () => {
  it('of an image names it, its paths and the folder', async () => {
    cluster.answer(jobsRestore, () => ({ job: 7 }));
    jobIs(doneJob(0, { type: 'restore' }));
    const run = await cluster.run(
      ...['restore', 'web1_1790000000', 'etc/a\\x0ab', '--to', 'out', '--overwrite', '--only'],
    );
    expect(run.code).toBe(0);
    expect(run.out).toContain('The files are in /home/me/out.');
    expect(cluster.inputsOf(jobsRestore)).toEqual([
      {
        source: { imageId: 'web1_1790000000', exact: true },
        paths: ['etc/a\\x0ab'],
        destination: '/home/me/out',
        overwrite: true,
        requestId: expect.any(String),
      },
    ]);
  });

  it('of a time names the client and the instant', async () => {
    cluster.answer(jobsRestore, () => ({ job: 7 }));
    jobIs(doneJob(0, { type: 'restore' }));
    await cluster.run('restore', '/etc', '--at', '2h ago', '--policy', 'p', '--to', '/r');
    expect(cluster.inputsOf(jobsRestore)).toMatchObject([
      {
        source: { client: 'web1', at: '2026-03-10T10:00:00.000Z', policy: 'p' },
        paths: ['/etc'],
      },
    ]);
  });

  it('is cancelled by ctrl-C, and says what was left', async () => {
    cluster.answer(jobsRestore, () => ({ job: 7 }));
    cluster.answer(jobsCancel, () => ({ job: doneJob(150, { type: 'restore' }) }));
    jobIs(jobViewOf({ type: 'restore' }));
    const running = cluster.run('restore', 'web1_1790000000', '--to', '/r');
    await cluster.untilAsked(jobsGet);
    await cluster.pressCtrlC();
    const run = await running;
    expect(run.code).toBe(130);
    expect(run.err).toContain(
      'Job 7 ended with status 150. 1,200 files (5.0 MiB) were restored before; they stay in /r.',
    );
  });

  it.each([
    [['restore', '--to', '/r'], 'Name an image'],
    [['restore', 'web1', '--to', '/r'], '"web1" is no image'],
    [['restore', 'web1_1', '--client', 'web1', '--to', '/r'], '--client and --policy go with --at'],
    [['restore', '--at', 'then', '--to', '/r'], '"then" is no time'],
    [['restore', 'web1_1'], "required option '--to <dir>'"],
  ])('%j is refused', async (args, text) => {
    const run = await cluster.run(...args);
    expect(run).toMatchObject({ code: 64, out: '' });
    expect(run.err).toContain(text);
    expect(cluster.asked).toEqual([]);
  });
});

describe('lists', () => {
  it('of jobs are a table', async () => {
    cluster.answer(jobsList, () => ({
      jobs: [doneJob(0), doneJob(71, { job: 6, imageId: null })],
    }));
    const { out, code } = await cluster.run('jobs', '--state', 'done', '--limit', '5');
    expect(code).toBe(0);
    const [titles, first, second] = out.split('\n');
    expect(titles).toMatch(/^JOB {2}TYPE {4}STATE {2}STATUS {2}CLIENT/);
    expect(first).toMatch(
      /^ {2}7 {2}backup {2}done {8}0 {2}web1 .* 1,200 {2}5\.0 MiB .*web1_1790000000$/,
    );
    expect(second).toMatch(/^ {2}6 {2}backup {2}done {7}71 .* -$/);
    expect(cluster.inputsOf(jobsList)).toEqual([{ state: 'done', limit: 5 }]);
  });

  it('longer than a page are read in pages', async () => {
    cluster.answer(jobsList, ({ before, limit }) => ({
      jobs: Array.from({ length: Number(limit) }, (_, i) =>
        doneJob(0, { job: Number(before ?? 5_000) - 1 - i }),
      ),
    }));
    const { out } = await cluster.run('jobs', '--limit', '1500', '--json');
    const jobs = JSON.parse(out).jobs.map(({ job }: { job: number }) => job);
    expect(jobs).toHaveLength(1_500);
    expect(jobs.at(-1)).toBe(3_500);
    expect(cluster.inputsOf(jobsList)).toEqual([{ limit: 1_000 }, { before: 4_000, limit: 500 }]);
  });

  it('of images and one image in full', async () => {
    cluster.answer(catalogImages, () => ({ images: [IMAGE] }));
    expect((await cluster.run('images')).out).toMatch(/^IMAGE .*\nweb1_1790000000 .* COMPLETE /);
    cluster.answer(catalogImage, () => ({ image: IMAGE }));
    cluster.answer(catalogFragments, () => ({ fragments: [FRAGMENT] }));
    const { out } = await cluster.run('images', 'show', 'web1_1790000000', '--long');
    expect(out).toMatch(/^Image: +web1_1790000000$/m);
    expect(out).toMatch(/^Copy 1: 1 fragments, 1\.0 MiB stored$/m);
    expect(out).toMatch(/^ {2}Fragment: +1$/m);
    const json = await cluster.run('images', 'show', 'web1_1790000000', '--long', '--json');
    expect(JSON.parse(json.out)).toEqual({ image: IMAGE, fragments: [FRAGMENT] });
  });

  it('of files go through all pages and are one document in JSON', async () => {
    const pages = [Array(1_000).fill({ ...FILE, path: 'etc/last' }), [FILE]];
    cluster.answer(catalogFiles, ({ after }) => ({ files: pages[after ? 1 : 0] }));
    const { out } = await cluster.run('files', 'web1_1790000000', '/etc', '--json');
    expect(JSON.parse(out).files).toHaveLength(1_001);
    expect(cluster.inputsOf(catalogFiles)).toMatchObject([
      { prefix: '/etc', limit: 1_000 },
      { prefix: '/etc', after: 'etc/last' },
    ]);
    cluster.answer(catalogFiles, () => ({ files: [] }));
    expect((await cluster.run('files', 'web1_1790000000', '--json')).out).toBe('{"files":[\n]}\n');
    cluster.answer(catalogFiles, () => ({ files: [FILE] }));
    expect((await cluster.run('files', 'web1_1790000000')).out).toMatch(
      /^-rw-r--r-- {6}0 {6}0 +12 .* etc\/passwd$/m,
    );
  });

  it('of versions of a path', async () => {
    const found = { ...FILE, client: 'web1', backupTime: IMAGE.backupTime };
    cluster.answer(catalogFind, () => ({ files: [found], truncated: true }));
    const run = await cluster.run('find', '*passwd', '--client', 'web1');
    expect(run.out).toMatch(/web1_1790000000 .* -rw-r--r-- +12 B .* etc\/passwd/);
    expect(run.err).toContain('narrow the pattern');
  });

  it('of media servers, one line for each volume', async () => {
    cluster.answer(brokerServers, () => ({
      servers: [
        {
          mediaId: 'media1',
          host: 'h',
          version: '0.1.0',
          address: { host: '127.0.0.1', port: 4_000 },
          state: 'up',
          lastSeenAt: IMAGE.backupTime,
          volumes: [{ pool: 'main', path: '/srv/main', freeBytes: 1_024, totalBytes: 2_048 }],
        },
      ],
    }));
    expect((await cluster.run('broker', 'servers')).out).toMatch(
      /media1 +up +h +127\.0\.0\.1:4000 .* main +1\.0 KiB +2\.0 KiB +\/srv\/main/,
    );
  });
});

describe('policy', () => {
  const spec = policySpec.parse({ name: 'p', clients: ['web1'], selections: ['/etc'] });

  it('is created from a file, run, and shown as such a file', async () => {
    cluster.answer(policyPut, ({ policy }) => ({ policy, created: true }));
    const path = file('p.yaml', 'name: p\nclients: [web1]\nselections: [/etc]\n');
    expect((await cluster.run('policy', 'create', '-f', path)).out).toContain(
      'Policy p is created.',
    );
    expect(cluster.inputsOf(policyPut)).toEqual([{ policy: spec, create: true }]);
    cluster.answer(policyRun, () => ({ jobs: [{ job: 7, client: 'web1' }] }));
    expect((await cluster.run('policy', 'run', 'p', '--schedule', 'full')).out).toBe(
      'Job 7 backs up web1. Watch it with: holdfast jobs watch 7\n',
    );
    cluster.answer(policyGet, () => ({ policy: spec }));
    const again = file('again.yaml', (await cluster.run('policy', 'show', 'p')).out);
    await cluster.run('policy', 'put', '-f', again);
    expect(cluster.inputsOf(policyPut).at(-1)).toEqual({ policy: spec, create: false });
  });

  it('with an error is refused with its place; nothing is asked', async () => {
    const path = file('bad.yaml', 'name: p\nclients: web1\nselections: [/etc]\n');
    const run = await cluster.run('policy', 'create', '-f', path);
    expect(run.code).toBe(64);
    expect(run.err).toBe(`${path}:2:10: clients: Invalid input: expected array, received string\n`);
    const missing = await cluster.run('policy', 'put', '-f', join(folder, 'none'));
    expect(missing).toMatchObject({ code: 64, err: expect.stringContaining('no such file') });
    expect(cluster.asked).toEqual([]);
  });

  it('shows what is due', async () => {
    const due = { policy: 'p', schedule: 'full', client: 'web1', dueAt: null, reason: 'by hand' };
    cluster.answer(policyDue, () => ({ due: [due] }));
    expect((await cluster.run('policy', 'due')).out).toMatch(/^- +p +full +web1 +by hand$/m);
  });
});

describe('events', () => {
  it('are printed from the stream, and in JSON as they are', async () => {
    const since = new Date().toISOString();
    cluster.publishJob(jobViewOf({ job: 501 }));
    cluster.publishJob(doneJob(0, { job: 501 }));
    cluster.publishJob(doneJob(0, { job: 502 }));
    await cluster.flush();
    const words = await cluster.run('events', 'job.done', '--since', since);
    expect(words.out.trim().split('\n')).toHaveLength(2);
    expect(words.out).toContain('job.done 501  state=done status=0 type=backup client=web1');
    const json = await cluster.run('events', 'job.*.501', '--json', '--since', since);
    const events = json.out
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(events.map(({ type }) => type)).toEqual([
      'io.holdfast.job.progressed.v1',
      'io.holdfast.job.done.v1',
    ]);
    const nothing = await cluster.run('events', 'image', '--since', since);
    expect(nothing).toEqual({ code: 0, out: '', err: '' });
  });

  it('are followed until ctrl-C', async () => {
    const running = cluster.run('events', 'job', '--follow', '--since', new Date().toISOString());
    await new Promise((next) => setTimeout(next, 300));
    cluster.publishJob(doneJob(0, { job: 503 }));
    await new Promise((next) => setTimeout(next, 300));
    await cluster.pressCtrlC();
    const run = await running;
    expect(run).toMatchObject({ code: 130, out: expect.stringContaining('job.done 503') });
  });
});

describe('status', () => {
  it('shows every service, and those that do not answer', async () => {
    const report = {
      instance: 'one',
      version: '0.1.0',
      host: 'h',
      pid: 4_711,
      startedAt: '2026-03-10T11:59:00.000Z',
      residentBytes: 104_857_600,
      checks: [{ name: 'postgres', ok: true, text: 'PostgreSQL 18' }],
    };
    for (const service of ['policy', 'jobs', 'broker', 'catalog', 'media']) {
      cluster.answer(healthEndpoint(service), () => ({ service, ...report }));
    }
    const run = await cluster.run('status');
    expect(run.out).toMatch(/^jobs +ok +one +h +4711 +1m00s +100 MiB +-$/m);
    expect(run.out).toMatch(/^agent +no answer/m);
    expect(run.out).toContain('PostgreSQL   PostgreSQL 18');
    expect(run.code).toBe(69);
    cluster.answer(healthEndpoint('agent'), () => ({ service: 'agent', ...report }));
    const json = await cluster.run('status', '--json');
    expect(json.code).toBe(0);
    expect(JSON.parse(json.out)).toMatchObject({ well: true, cluster: { client: 'web1' } });
  });
});

describe('errors', () => {
  it('of a service come with their status, and with --json on standard output', async () => {
    cluster.answer(jobsGet, () => {
      throw new NotFound('job', '9', 805, 'See: holdfast jobs');
    });
    expect(await cluster.run('jobs', 'show', '9')).toEqual({
      code: 2,
      out: '',
      err: 'There is no job "9". See: holdfast jobs\nStatus 805: Invalid jobid.\n',
    });
    const json = await cluster.run('jobs', 'show', '9', '--json');
    expect(json).toMatchObject({ code: 2, err: '' });
    expect(JSON.parse(json.out)).toEqual({
      error: {
        status: 805,
        statusText: 'Invalid jobid',
        message: 'There is no job "9". See: holdfast jobs',
        field: 'job',
        retryable: false,
      },
    });
  });

  it('say which service is away', async () => {
    const other = await FakeCluster.start({ deaf: true });
    try {
      const run = await other.run('broker', 'units');
      expect(run.code).toBe(69);
      expect(run.err).toBe('No broker (units) service answers: is it running?\n');
    } finally {
      await other.stop();
    }
  });

  it.each([
    [['nonsense'], 'nonsense'],
    [['jobs', 'show', 'x'], 'A job number is a whole number'],
    [['jobs', '--state', 'red'], '--state is queued, active or done'],
    [['backup'], "missing required argument 'path'"],
    [['backup', '/x', '--type', 'whole'], '--type is full, differential or cumulative'],
    [['backup', '/x', '--client', 'a b'], 'client: a client name has 1 to 63 letters'],
    [['images', '--color'], "unknown option '--color'"],
  ])('of usage: %j', async (args, text) => {
    const run = await cluster.run(...args);
    expect(run).toMatchObject({ code: 64, out: '' });
    expect(run.err).toContain(text);
    expect(run.err.trim().split('\n').length).toBeLessThanOrEqual(2);
    const json = await cluster.run(...args, '--json');
    expect(json).toMatchObject({ code: 64, err: '' });
    expect(JSON.parse(json.out).error.message).toContain(text);
  });

  it('of a cluster that is not there', async () => {
    const run = await cluster.run('jobs', '--data', '/nowhere');
    expect(run.code).toBe(69);
    expect(run.err).toBe('Holdfast is not running here (/nowhere). Start it with: holdfast up\n');
    const nats = await cluster.run('jobs', '--nats', 'nats://127.0.0.1:1');
    expect(nats.code).toBe(69);
    expect(nats.err).toContain('Nothing answers at nats://127.0.0.1:1');
  });

  it('of credentials that another cluster made', async () => {
    const other = await FakeCluster.start();
    try {
      const seed = join(other.folder, 'credentials', 'operator.nk');
      const run = await cluster.run('jobs', '--credentials', seed);
      expect(run).toMatchObject({
        code: 2,
        err: expect.stringContaining('refused the credentials'),
      });
    } finally {
      await other.stop();
    }
  });

  it('of a service are shown without what could steer a terminal', async () => {
    cluster.answer(catalogImage, () => {
      throw new PermanentError(227, 'odd \u001b[2J name');
    });
    const run = await cluster.run('images', 'show', 'web1_1790000000');
    expect(run.err).toContain('odd \\x1b[2J name');
  });
});
