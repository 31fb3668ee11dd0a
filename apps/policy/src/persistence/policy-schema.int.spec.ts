import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { DataSource } from 'typeorm';
import { openDatabase } from '#service/database.js';
import { startPostgres, type TestPostgres } from '../../../../test/support/postgres.js';
import { policySchema } from './policy-schema.js';

describe("the policy service's migrations", () => {
  let postgres: TestPostgres;
  let database: DataSource;

  beforeAll(async () => {
    postgres = await startPostgres();
    const connection = {
      HOLDFAST_DATABASE_URL: postgres.url,
      HOLDFAST_DATABASE_CONNECTIONS_MAX: 2,
    };
    database = await openDatabase(connection, policySchema);
  });

  afterAll(async () => {
    await database?.destroy();
    await postgres?.stop();
  });

  const missing = async () =>
    (await database.driver.createSchemaBuilder().log()).upQueries.map(({ query }) => query);

  it('make exactly the tables that the entities map', async () => {
    expect(await missing()).toEqual([]);
  });

  it('are really compared: a dropped column and a lost index are seen', async () => {
    await database.query('ALTER TABLE history DROP COLUMN failures');
    await database.query('DROP INDEX running_job_policy');
    const queries = (await missing()).join('\n');
    expect(queries).toContain('"failures"');
    expect(queries).toContain('running_job_policy');
  });

  it('can be undone', async () => {
    await database.undoLastMigration({ transaction: 'all' });
    const rows: { n: number }[] = await database.query(
      `SELECT count(*)::int AS n FROM pg_tables WHERE schemaname = 'policy'`,
    );
    // TypeORM's own record of migrations stays.
    expect(rows[0]?.n).toBe(1);
  });
});
