import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { openDatabase } from '#service/database.js';
import { startPostgres, type TestPostgres } from '../../../../test/support/postgres.js';
import { jobsDefinition } from '../jobs.definition.js';
import { after, allocationOf, answers, backup, NOW } from '../testing/sample-jobs.js';
import { JobLists } from './job-lists.js';
import { Jobs } from './jobs.js';
import { OpenJobs } from './open-jobs.js';

describe('jobs of the release before', () => {
  let postgres: TestPostgres;

  beforeAll(async () => {
    postgres = await startPostgres();
  });
  afterAll(() => postgres?.stop());

  it('get their columns, and are driven, listed and counted as new ones', async () => {
    const owned = jobsDefinition.owns!;
    const connection = {
      HOLDFAST_DATABASE_URL: postgres.url,
      HOLDFAST_DATABASE_CONNECTIONS_MAX: 2,
    };
    const old = await openDatabase(connection, {
      ...owned,
      migrations: owned.migrations.slice(0, 1),
    });
    const its = answers();
    const running = after(backup, its.granted('m1'), its.begun());
    const done = { ...running, step: 'done', outcome: { status: 41, message: '' }, endedAt: NOW };
    const retry = { at: NOW, drain: null, drains: 0 };
    const waits = { ...running, step: 'retrying', retry, allocation: allocationOf(1, 'm1') };
    for (const [state, job] of [
      ['done', done],
      ['active', waits],
      ['queued', backup],
    ] as const) {
      await old.query(
        `INSERT INTO job (type, step, state, client, policy, priority, created_at, document)
         VALUES ('backup', $1, $2, 'web1', 'p', 0, now(), $3)`,
        [job.step, state, job],
      );
    }
    await old.destroy();
    const database = await openDatabase(connection, owned);
    const lists = new JobLists(database.manager);
    const failed = await lists.list({ status: 'failed', limit: 9 });
    expect(failed).toMatchObject([{ job: 1, state: 'done', status: 41, storage: 'default' }]);
    expect(await lists.list({ state: 'waiting-for-retry', limit: 9 })).toMatchObject([{ job: 2 }]);
    expect(await lists.summary(NOW)).toMatchObject({ queued: 1, waitingForRetry: 1, failed: 1 });
    const due = await new OpenJobs(database.manager).due(new Date(), 9);
    expect(due.map(({ job }) => job.job)).toEqual([2]);
    const [saved] = due;
    await new Jobs(database.manager).write([after(saved!.job, its.letGo)], []);
    const [again] = await new Jobs(database.manager).findAll([2]);
    expect(again?.job.retry).toEqual({ at: NOW, drain: null, drains: 0, isLetGo: true });
    await database.destroy();
  });
});
