import { afterAll } from '@jest/globals';
import type { DataSource } from 'typeorm';
import { startPostgres } from '../../../../test/support/postgres.js';
import { openDatabase, type OwnedSchema } from '../database.js';

/** A service's tables in a PostgreSQL of their own, for all tests of a file. */
export async function useDatabase(owned: OwnedSchema, connectionsMax: number): Promise<DataSource> {
  const postgres = await startPostgres();
  const connection = {
    HOLDFAST_DATABASE_URL: postgres.url,
    HOLDFAST_DATABASE_CONNECTIONS_MAX: connectionsMax,
  };
  const database = await openDatabase(connection, owned);
  afterAll(async () => {
    await database.destroy();
    await postgres.stop();
  });
  return database;
}
