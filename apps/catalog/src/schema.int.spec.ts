import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { DataSource } from 'typeorm';
import { openDatabase } from '#service/database.js';
import { startPostgres, type TestPostgres } from '../../../test/support/postgres.js';
import { catalogDefinition } from './catalog.definition.js';

describe('the schema of the catalog', () => {
  let postgres: TestPostgres;
  let database: DataSource;

  beforeAll(async () => {
    postgres = await startPostgres();
    database = await openDatabase(
      { HOLDFAST_DATABASE_URL: postgres.url, HOLDFAST_DATABASE_CONNECTIONS_MAX: 4 },
      catalogDefinition.owns!,
    );
  }, 60_000);

  afterAll(async () => {
    await database?.destroy();
    await postgres?.stop();
  });

  it('is what the entities say', async () => {
    expect(await drift(database)).toEqual([]);
  });

  it('would show a difference', async () => {
    await database.query('ALTER TABLE fragment DROP COLUMN frames');
    await database.query('DROP INDEX fragment_live_number');
    const statements = (await drift(database)).join('\n');
    expect(statements).toContain('"frames"');
    expect(statements).toContain('fragment_live_number');
  });
});

async function drift(database: DataSource): Promise<string[]> {
  const { upQueries } = await database.driver.createSchemaBuilder().log();
  return upQueries.map(({ query }) => query);
}
