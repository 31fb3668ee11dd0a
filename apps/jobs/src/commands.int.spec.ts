import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { JobView } from '#contracts/job.js';
import { until } from '../../../test/support/until.js';
import { JobsUnderTest } from './testing/jobs-under-test.js';

describe('a command', () => {
  let jobs: JobsUnderTest;

  beforeAll(async () => {
    jobs = await JobsUnderTest.start();
  });
  afterAll(() => jobs?.stop());
  beforeEach(() => jobs.reset());
  afterEach(() => jobs.endAll());

  const state = (job: number, wanted: JobView['state']) =>
    jobs.until(job, (view) => view.state === wanted);
  const asked = (endpoint: string, job: number) =>
    until(() => jobs.asked(endpoint, job).length > 0, { what: `${endpoint} for job ${job}` });

  it('suspends a job, and resumes it in the next attempt behind what is committed', async () => {
    const job = await jobs.submit();
    await jobs.running(job);
    Object.assign(jobs.others, { nextNumber: 4 });
    expect(await jobs.ask('suspend', { job })).toMatchObject({ job: { state: 'suspended' } });
    await asked('broker.release', job);
    await until(() => jobs.others.tasksOf(job).filter(({ type }) => type === 'cancel').length > 1);
    expect(await jobs.report(job, 'agent', 0)).toEqual({ goOn: false });
    expect(jobs.asked('catalog.image-abandon', job)).toEqual([]);
    await jobs.ask('resume', { job });
    await jobs.running(job, 2);
    expect(jobs.asked('catalog.image-begin', job).map(({ attempt }) => attempt)).toEqual([1, 2]);
    await jobs.report(job, 'media', 0, { attempt: 2 });
    await jobs.report(job, 'agent', 0, { attempt: 2 });
    expect(await jobs.done(job)).toMatchObject({ status: 0, attempt: 2 });
    expect(await jobs.logOf(job)).toContain('suspend requested by administrator (157)');
    for (const what of ['suspended', 'resumed', 'retrying', 'done']) {
      await until(() => jobs.told(job).includes(what), { what: `the event ${what}` });
    }
  });

  it('takes back the place of a queued job, and what is done refuses with what to do', async () => {
    jobs.others.busy = true;
    const job = await jobs.submit();
    await jobs.until(job, ({ waitReason }) => waitReason === 'unit-busy');
    await jobs.ask('suspend', { job });
    await asked('broker.release', job);
    await jobs.ask('cancel', { job });
    expect(await jobs.done(job)).toMatchObject({ status: 150, waitReason: '' });
    const refused = await jobs.ask('resume', { job });
    expect(refused).toMatchObject({ error: { status: 228, field: 'job' } });
    expect(JSON.stringify(refused)).toContain(`holdfast jobs restart ${job}`);
  });

  it('ends a job within seconds though nobody answers, and gives back what it held later', async () => {
    const job = await jobs.submit();
    await jobs.running(job);
    Object.assign(jobs.others, { brokerAway: true, catalogAway: true, mediaAway: true });
    await jobs.ask('cancel', { job });
    expect(await jobs.done(job)).toMatchObject({ status: 150 });
    expect(jobs.asked('catalog.image-abandon', job)).toEqual([]);
    expect(await jobs.logOf(job)).toContain('to be given back later: image, resources');
    Object.assign(jobs.others, { brokerAway: false, catalogAway: false });
    await asked('broker.release', job);
    // Both are asked at once.
    await asked('catalog.image-abandon', job);
    expect(jobs.asked('catalog.image-abandon', job)).toHaveLength(1);
  });

  it('gives back what a job held though another one before it cannot', async () => {
    const [first, second] = [await jobs.submit(), await jobs.submit()];
    for (const job of [first, second]) await jobs.running(job);
    Object.assign(jobs.others, { brokerAway: true, catalogAway: true });
    for (const job of [first, second]) await jobs.ask('cancel', { job });
    for (const job of [first, second]) await jobs.done(job);
    Object.assign(jobs.others, { brokerAway: false, catalogAway: false, notAbandoned: first });
    await asked('catalog.image-abandon', second);
    await asked('broker.release', first);
    jobs.others.notAbandoned = 0;
  });

  it('keeps a job that is out of tries, if something is committed, until somebody resumes it', async () => {
    jobs.others.committed = 3;
    const job = await jobs.submit({ tries: 1 });
    await jobs.running(job);
    await jobs.report(job, 'agent', 41);
    expect(await state(job, 'incomplete')).toMatchObject({ status: null, attempt: 1 });
    await jobs.ask('resume', { job });
    await jobs.running(job, 2);
    await jobs.report(job, 'agent', 71, { attempt: 2 });
    expect(await jobs.done(job)).toMatchObject({ status: 71 });
    const { attempts } = await jobs.ask<{ attempts: object[] }>('get', { job });
    expect(attempts).toMatchObject([{ status: 41 }, { status: 71, mediaId: 'm1' }]);
  });

  it('lets the scheduler go on with what is out of tries, and with nothing else', async () => {
    jobs.others.committed = 3;
    const job = await jobs.submit({ tries: 1 });
    await jobs.running(job);
    await jobs.report(job, 'agent', 41);
    const { outOfTries } = await state(job, 'incomplete');
    expect(outOfTries).toMatchObject({ status: 41 });
    const go = { job, failedAt: outOfTries!.failedAt, closesAt: null };
    const before = new Date(Date.parse(go.failedAt) - 1).toISOString();
    expect(await jobs.ask('continue', { ...go, failedAt: before })).toMatchObject({
      job: { state: 'incomplete' },
    });
    expect(await jobs.ask('continue', go)).toMatchObject({ job: { outOfTries: null } });
    await jobs.running(job, 2);
    expect(await jobs.ask('continue', go)).toMatchObject({ job: { state: 'active' } });
    await jobs.ask('suspend', { job });
    expect(await jobs.ask('continue', go)).toMatchObject({ job: { state: 'suspended' } });
    await jobs.ask('cancel', { job });
    expect(await jobs.done(job)).toMatchObject({ status: 150, attempt: 2 });
    expect(await jobs.ask('continue', go)).toMatchObject({ job: { state: 'done', status: 150 } });
  });

  it('restarts a job under a new number and cancels the old one, once for each request', async () => {
    const job = await jobs.submit({ keyword: 'monthly' });
    await jobs.running(job);
    const requestId = '0190a0a0-0000-7000-8000-0000000000bb';
    const first = await jobs.ask<{ job: number }>('restart', { job, requestId });
    const second = await jobs.ask<{ job: number }>('restart', { job, requestId });
    expect(second.job).toBe(first.job);
    expect(await jobs.done(job)).toMatchObject({ status: 150 });
    expect(await jobs.running(first.job)).toMatchObject({ keyword: 'monthly', client: 'web1' });
  });

  it('changes the priority of a job, and the broker hears of it', async () => {
    jobs.others.busy = true;
    const job = await jobs.submit();
    await state(job, 'queued');
    const answer = await jobs.ask('priority', { job, priority: 700 });
    expect(answer).toMatchObject({ job: { priority: 700 } });
    expect(jobs.asked('broker.priority', job)).toEqual([{ job, priority: 700 }]);
  });

  it('is no command: a job that is queued still when its window closes ends with 196', async () => {
    jobs.others.busy = true;
    const closesAt = new Date(Date.now() + 500).toISOString();
    const job = await jobs.submit({ closesAt });
    expect(await jobs.done(job)).toMatchObject({ status: 196, startedAt: null });
    expect(jobs.asked('broker.release', job)).toHaveLength(1);
  });

  it('says who does not answer a job that waits for an answer', async () => {
    jobs.others.catalogAway = true;
    const job = await jobs.submit();
    const waits = await jobs.until(job, ({ operation }) => operation.includes('catalog is'));
    expect(waits).toMatchObject({ state: 'active', operation: 'the catalog is away' });
    await jobs.ask('cancel', { job });
    expect(await jobs.done(job)).toMatchObject({ status: 150 });
  });
});
