import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { sleep } from '#kernel/backoff.js';
import { until } from '../../../test/support/until.js';
import { JobsUnderTest } from './testing/jobs-under-test.js';

describe('a job whose participants say nothing', () => {
  let jobs: JobsUnderTest;

  beforeAll(async () => {
    jobs = await JobsUnderTest.start({ HOLDFAST_SILENCE_MS_MAX: '2000' });
  });
  afterAll(() => jobs?.stop());
  beforeEach(() => jobs.reset());
  afterEach(() => jobs.endAll());

  type Voice = { readonly from: string; readonly instance: string };

  /** Has them say all the time that they live. @returns what ends that */
  const keepAlive = (job: number, ...voices: readonly Voice[]): (() => void) => {
    const alive = setInterval(() => {
      for (const voice of voices) {
        void jobs.ask('report', { job, attempt: 1, ...voice }).catch(() => undefined);
      }
    }, 200);
    return () => clearInterval(alive);
  };
  const setSilence = async (value: number | null) => {
    const set = await jobs.ask('settings-put', { name: 'jobs.silence-seconds', value });
    expect(set).toMatchObject({ setting: { name: 'jobs.silence-seconds' } });
  };
  const media = { from: 'media', instance: 'm1' };
  const agent = { from: 'agent', instance: 'web1' };

  it('ends where its agent has fallen silent, and has its image abandoned', async () => {
    const job = await jobs.submit({ tries: 1 });
    await jobs.running(job);
    const fallSilent = keepAlive(job, media);
    try {
      expect((await jobs.done(job)).status).toBe(49);
    } finally {
      fallSilent();
    }
    expect(jobs.asked('catalog.image-abandon', job)).toHaveLength(1);
    expect(await jobs.report(job, 'agent', 0)).toEqual({ goOn: false });
  });

  it('goes on where what they said could not be written down in a database that hangs', async () => {
    const job = await jobs.submit({ tries: 1 });
    await jobs.running(job);
    for (const voice of [media, agent]) await jobs.ask('report', { job, attempt: 1, ...voice });
    const fallSilent = keepAlive(job, media, agent);
    const database = new pg.Client(jobs.postgres.url);
    await database.connect();
    try {
      await database.query('BEGIN');
      await database.query('SELECT 1 FROM jobs.job WHERE job = $1 FOR UPDATE', [job]);
      await sleep(6_000);
      await database.query('COMMIT');
      await sleep(1_000);
      expect(await jobs.view(job)).toMatchObject({ state: 'active', operation: 'moving data' });
    } finally {
      fallSilent();
      await database.end();
    }
  });

  it('is resumed, if it is a duplication whose media server fell silent', async () => {
    const request = { imageId: 'web1_1790000001', toPool: 'offsite' };
    const { job } = await jobs.ask<{ job: number }>('duplicate', request);
    const copyBegins = () => jobs.asked('catalog.copy-begin', job).map(({ attempt }) => attempt);
    await jobs.until(job, ({ operation }) => operation.startsWith('duplicating'));
    jobs.others.nextNumber = 4;
    const letBegin = jobs.others.holdUp('catalog.copy-begin');
    await until(() => copyBegins().length > 1);
    // The second one is to last until somebody reports.
    await setSilence(600);
    letBegin();
    await jobs.until(job, ({ attempt, mediaId }) => attempt === 2 && mediaId === 'm2');
    await jobs.until(job, ({ operation }) => operation.startsWith('duplicating'));
    expect(await jobs.logOf(job)).toContain('3 of 7 fragments are there');
    expect(copyBegins()).toEqual([1, 2]);
    await jobs.report(job, 'media', 0, { attempt: 2, instance: 'm2' });
    expect(await jobs.done(job)).toMatchObject({ status: 0, attempt: 2 });
    await setSilence(null);
  });
});
