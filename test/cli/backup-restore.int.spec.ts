import { describe, expect, it } from '@jest/globals';
import { jobsBackup, jobsCancel, jobsGet, jobsRestore } from '#contracts/job.js';
import { doneJob, jobViewOf } from '../../apps/cli/src/testing/job-views.js';
import { until } from '../support/until.js';
import { FakeCluster, useFakeCluster } from './fake-cluster.js';

const cluster = await useFakeCluster();

/** A job manager in which job 7 is what the test says. */
function jobIs(job: ReturnType<typeof jobViewOf>, log: unknown[] = []): void {
  cluster.answer(jobsGet, ({ logAfter }) => ({
    job,
    log: log.slice(Number(logAfter)),
    logLines: log.length,
  }));
}

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
        origin: 'immediate',
        policy: 'on-demand',
        schedule: 'user',
        client: 'web1',
        kind: 'differential',
        selections: ['/home/me/data', '/etc'],
        excludes: ['*.tmp', 'cache'],
        storage: 'default',
        tries: 3,
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
    // The answer to the first question may come after the first event: then it is no news.
    expect(records.slice(-3).map(({ type, job }) => `${type} ${job.state}`)).toEqual([
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

  it('does not wait for an answer after ctrl-C', async () => {
    const other = await FakeCluster.start();
    try {
      other.answer(jobsBackup, () => ({ job: 7 }));
      const running = other.run('backup', '/etc');
      await until(() => other.inputsOf(jobsGet).length > 0);
      await other.pressCtrlC();
      // What is not answered in time gives 69.
      expect(await running).toMatchObject({
        code: 130,
        err: expect.stringContaining('Job 7 goes on.'),
      });
    } finally {
      await other.stop();
    }
  });

  it('gives up on a cluster that stays silent, and says that it waited', async () => {
    const other = await FakeCluster.start();
    try {
      other.answer(jobsBackup, () => ({ job: 7 }));
      other.answer(jobsGet, () => ({ job: jobViewOf(), log: [], logLines: 0 }));
      const running = other.run('backup', '/etc');
      await other.untilAsked(jobsGet);
      await other.kill();
      other.clock.advance(150_000);
      expect(await running).toMatchObject({ code: 69, err: expect.stringMatching(/jobs \(get\)/) });
    } finally {
      await other.stop();
    }
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
