import { Logger } from '@nestjs/common';
import { describe, expect, it } from '@jest/globals';
import pg from 'pg';
import type { DataSource } from 'typeorm';
import { Clock } from '#kernel/clock.js';
import { until } from '../../../../test/support/until.js';
import type { Input } from '../domain/input.js';
import type { Job } from '../domain/job.js';
import type { JobChanges } from '../job-changes.js';
import type { JobSteps } from '../steps/job-steps.js';
import { after, answers, backup } from '../testing/sample-jobs.js';
import { JobDriver } from './job-driver.js';

/** With each look so much later that the job's trouble is told at once. */
class Hurried extends Clock {
  private time = 0;

  now(): Date {
    return new Date((this.time += 5_000));
  }
}

/** Nobody listens there. */
const NOWHERE = { host: '127.0.0.1', port: 1 };

describe('the driver of jobs', () => {
  it('says of a database that is away what it is, and no more', async () => {
    const away: unknown = await new pg.Client(NOWHERE).connect().catch((error: unknown) => error);
    const said: string[] = [];
    const errors: string[] = [];
    const keep = (to: string[]) => (text: string) => void to.push(text);
    Logger.overrideLogger({ log: () => {}, warn: keep(said), error: keep(errors) });
    const told: Input[] = [];
    const changes = {
      apply: async (_job: number, input: Input) => {
        told.push(input);
        await Promise.reject(away);
      },
    };
    const its = answers();
    const running = after(backup, its.granted('m1'), its.begun(), its.media, its.agent);
    const steps = { perform: async (_job: Job) => Promise.resolve(its.complete) };
    const driver = new JobDriver(
      undefined as unknown as DataSource,
      changes as unknown as JobChanges,
      steps as unknown as JobSteps,
      new Hurried(),
    );
    driver.drive(running);
    await until(() => told.length > 1);
    await driver.stop();
    Logger.overrideLogger(['error', 'warn', 'log']);
    expect(told[1]).toMatchObject({ type: 'unanswered', message: 'the database is away or busy' });
    expect(said).toContain('job 7: connect ECONNREFUSED 127.0.0.1:1');
    expect(errors).toEqual([]);
  });
});
