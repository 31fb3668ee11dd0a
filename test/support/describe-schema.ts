import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { DataSource } from 'typeorm';
import { openDatabase, type OwnedSchema } from '#service/database.js';
import { startPostgres, type TestPostgres } from './postgres.js';

/** A column and an index that the suite drops, to see that the comparison sees them. */
export interface SchemaSample {
  readonly table: string;
  readonly column: string;
  readonly index: string;
}

/** The laws of every service's schema: its migrations make what its entities map, and can be undone. */
export function describeSchema(owned: OwnedSchema, sample: SchemaSample): void {
  describe(`the schema ${owned.schema}`, () => {
    let postgres: TestPostgres;
    let database: DataSource;

    beforeAll(async () => {
      postgres = await startPostgres();
      const connection = {
        HOLDFAST_DATABASE_URL: postgres.url,
        HOLDFAST_DATABASE_CONNECTIONS_MAX: 2,
      };
      database = await openDatabase(connection, owned);
    });

    afterAll(async () => {
      await database?.destroy();
      await postgres?.stop();
    });

    const missing = async () =>
      (await database.driver.createSchemaBuilder().log()).upQueries.map(({ query }) => query);

    it('is what the entities say', async () => {
      expect(await missing()).toEqual([]);
    });

    it('is really compared: a dropped column and a lost index are seen', async () => {
      await database.query(`ALTER TABLE ${sample.table} DROP COLUMN ${sample.column}`);
      await database.query(`DROP INDEX ${sample.index}`);
      const queries = (await missing()).join('\n');
      expect(queries).toContain(`"${sample.column}"`);
      expect(queries).toContain(sample.index);
    });

    it('can be undone', async () => {
      for (const _ of owned.migrations) {
        await database.undoLastMigration({ transaction: 'all' });
      }
      const rows: { tablename: string }[] = await database.query(
        'SELECT tablename FROM pg_tables WHERE schemaname = $1',
        [owned.schema],
      );
      // TypeORM's own record of migrations stays.
      expect(rows).toEqual([{ tablename: 'migrations' }]);
    });
  });
}
