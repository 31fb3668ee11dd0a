import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { JobView } from '#contracts/job.js';
import { JobsUnderTest } from './testing/jobs-under-test.js';

describe('a parent job', () => {
  let jobs: JobsUnderTest;

  beforeAll(async () => {
    jobs = await JobsUnderTest.start();
  });
  afterAll(() => jobs?.stop());
  beforeEach(() => jobs.reset());
  afterEach(() => jobs.endAll());

  const family = async (more: object = {}) => {
    const parent = await jobs.submit({ streams: [['/a'], ['/b']], priority: 3, ...more });
    const { jobs: children } = await jobs.ask<{ jobs: JobView[] }>('list', { parent });
    return { parent, children: children.map(({ job }) => job).sort((a, b) => a - b) };
  };
  const finish = async (job: number, status: number) => {
    await jobs.running(job);
    if (status === 0) await jobs.report(job, 'media', 0);
    await jobs.report(job, 'agent', status);
  };

  it('starts a job for each stream, and ends with the last one', async () => {
    const { parent, children } = await family();
    expect(children).toHaveLength(2);
    const view = await jobs.view(children[1]!);
    expect(view).toMatchObject({ parent, stream: 2, priority: 3, type: 'backup' });
    await jobs.until(parent, ({ state }) => state === 'active');
    await finish(children[0]!, 0);
    await jobs.done(children[0]!);
    expect(await jobs.view(parent)).toMatchObject({ state: 'active', operation: 'parent job' });
    await finish(children[1]!, 71);
    expect(await jobs.done(parent)).toMatchObject({ status: 1, children: 2 });
    const tasks = jobs.others.tasks.flatMap((one) => ('selections' in one ? [one.selections] : []));
    expect(tasks).toEqual(expect.arrayContaining([['/a'], ['/b']]));
    expect(jobs.asked('broker.allocate', parent)).toEqual([]);
    const run = { group: parent, groupStreams: 2 };
    expect(jobs.asked('catalog.image-begin', children[1]!)).toMatchObject([run]);
    // Run again alone, it is a job of its own and still a part of that run.
    const again = await jobs.ask<{ job: number }>('restart', { job: children[1] });
    expect(await jobs.running(again.job)).toMatchObject({ parent: null });
    expect(jobs.asked('catalog.image-begin', again.job)).toMatchObject([run]);
  });

  it('hands its commands on', async () => {
    const { parent, children } = await family();
    for (const child of children) await jobs.running(child);
    await jobs.ask('suspend', { job: parent });
    expect(await jobs.view(parent)).toMatchObject({ state: 'suspended' });
    await jobs.ask('resume', { job: parent });
    for (const child of children) await jobs.running(child, 2);
    await jobs.ask('cancel', { job: children[0] });
    await jobs.done(children[0]!);
    expect(await jobs.view(parent)).toMatchObject({ state: 'active' });
    const again = await jobs.ask<{ job: number }>('restart', { job: parent });
    expect(await jobs.done(parent)).toMatchObject({ status: 150 });
    expect(await jobs.view(again.job)).toMatchObject({ children: 2, state: expect.any(String) });
  });

  it('goes on with its incomplete children when the scheduler says so, not with the others', async () => {
    jobs.others.committed = 3;
    const { parent, children } = await family({ tries: 1 });
    const [one, two] = children as [number, number];
    for (const child of children) await jobs.running(child);
    await jobs.ask('suspend', { job: two });
    await jobs.report(one, 'agent', 41);
    const { outOfTries } = await jobs.until(parent, ({ state }) => state === 'incomplete');
    expect(outOfTries).toMatchObject({ status: 41 });
    await jobs.ask('continue', { job: parent, failedAt: outOfTries!.failedAt, closesAt: null });
    await jobs.running(one, 2);
    expect(await jobs.view(two)).toMatchObject({ attempt: 1, outOfTries: null });
    expect(await jobs.view(parent)).toMatchObject({ state: 'active', outOfTries: null });
  });

  it('goes on after a crash of the job manager in any place', async () => {
    const crash = async () => {
      await jobs.stopService();
      await jobs.startService();
    };
    jobs.others.busy = true;
    const { parent, children } = await family();
    await crash();
    jobs.others.busy = false;
    jobs.others.catalogAway = true;
    await crash();
    jobs.others.catalogAway = false;
    const [one, two] = children as [number, number];
    await jobs.running(one);
    await jobs.running(two);
    await crash();
    jobs.others.nextNumber = 4;
    await jobs.report(one, 'media', 82);
    await crash();
    await jobs.running(one, 2);
    await jobs.ask('suspend', { job: two });
    await crash();
    await jobs.ask('resume', { job: two });
    await crash();
    await jobs.running(two, 2);
    jobs.others.complete = false;
    for (const job of children) {
      await jobs.report(job, 'media', 0, { attempt: 2 });
      await jobs.report(job, 'agent', 0, { attempt: 2 });
      await jobs.until(job, ({ operation }) => operation.includes('index of fragment'));
    }
    await crash();
    jobs.others.complete = true;
    expect(await jobs.done(parent)).toMatchObject({ status: 0 });
    for (const job of children) {
      expect(await jobs.view(job)).toMatchObject({ status: 0, attempt: 2 });
      expect(jobs.asked('catalog.image-begin', job).map(({ attempt }) => attempt)).toContain(2);
    }
  });
});
