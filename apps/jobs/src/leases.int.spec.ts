import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { allocationGranted } from '#contracts/broker.js';
import { subjectOf } from '#contracts/contract.js';
import { envelope } from '#contracts/event.js';
import { sleep } from '#kernel/backoff.js';
import { until } from '../../../test/support/until.js';
import { allocationOf } from './testing/sample-jobs.js';
import { JobsUnderTest } from './testing/jobs-under-test.js';

describe('what the broker lends a job', () => {
  let jobs: JobsUnderTest;

  beforeAll(async () => {
    jobs = await JobsUnderTest.start();
  });
  afterAll(() => jobs?.stop());
  beforeEach(() => jobs.reset());
  afterEach(() => jobs.endAll());

  const requests = (job: number) => jobs.asked('broker.allocate', job).length;
  const releases = (job: number) => jobs.asked('broker.release', job);

  it('is asked for again when half of the lease is over, not in every round', async () => {
    jobs.others.leaseMs = 10_000;
    const began = performance.now();
    const job = await jobs.submit();
    await jobs.running(job);
    // So that the next half is not over when this is looked at, however late that is.
    jobs.others.leaseMs = 3_600_000;
    await until(() => requests(job) > 1);
    expect(performance.now() - began).toBeGreaterThan(4_000);
    await sleep(3_000);
    expect(requests(job)).toBe(2);
  });

  it('goes back where the job ended while it was asked for again', async () => {
    jobs.others.leaseMs = 1_000;
    const job = await jobs.submit();
    await jobs.running(job);
    const answer = jobs.others.holdUp('broker.allocate');
    const before = requests(job);
    await until(() => requests(job) > before);
    await jobs.ask('cancel', { job });
    await jobs.done(job);
    expect(releases(job)).toHaveLength(1);
    answer();
    await until(() => releases(job).length > 1);
    expect(releases(job)[1]).toEqual({ job, attempt: 1 });
  });

  it('goes back where it is granted to a job that is done', async () => {
    const job = await jobs.submit();
    await jobs.running(job);
    await jobs.ask('cancel', { job });
    await jobs.done(job);
    const leaseUntil = new Date(Date.now() + 3_600_000).toISOString();
    const data = { ...allocationOf(1, 'm1'), job, leaseUntil };
    const about = { id: `grant-${job}`, source: 'broker', subject: String(job), time: new Date() };
    const event = envelope(allocationGranted, { ...about, data });
    jobs.nats.publish(subjectOf(allocationGranted, String(job)), JSON.stringify(event));
    await until(() => releases(job).length > 1);
    expect(releases(job)[1]).toEqual({ job, attempt: 1 });
  });
});
