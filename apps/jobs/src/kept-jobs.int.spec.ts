import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { sleep } from '#kernel/backoff.js';
import { until } from '../../../test/support/until.js';
import { JobsUnderTest } from './testing/jobs-under-test.js';

const KEEP_MS = 1_000;

describe('a job', () => {
  let jobs: JobsUnderTest;

  beforeAll(async () => {
    jobs = await JobsUnderTest.start({
      HOLDFAST_JOBS_KEEP: `${KEEP_MS}ms`,
      HOLDFAST_JOBS_SUSPENDED_MAX: '1s',
      HOLDFAST_JOBS_INCOMPLETE_MAX: '1s',
    });
  });
  afterAll(() => jobs?.stop());
  beforeEach(() => jobs.reset());

  it('that nobody resumes is incomplete in its time, ends in its time, and is forgotten', async () => {
    const job = await jobs.submit();
    await jobs.running(job);
    await jobs.ask('suspend', { job });
    expect(await jobs.done(job)).toMatchObject({ status: 157 });
    // However short it was so: whoever asks now and then may miss it.
    await until(() => jobs.told(job).includes('incomplete'));
    const parent = await jobs.submit({ streams: [['/a'], ['/b']] });
    await jobs.ask('cancel', { job: parent });
    await jobs.done(parent);
    await sleep(KEEP_MS);
    // The job manager looks for what is old when it starts.
    await jobs.stopService();
    await jobs.startService();
    await until(async () => (await jobs.ask<{ jobs: object[] }>('list', {})).jobs.length === 0);
    expect(await jobs.ask('get', { job })).toMatchObject({ error: { status: 805 } });
  });
});
