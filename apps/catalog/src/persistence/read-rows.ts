import type { EntityManager, ObjectLiteral, ValueTransformer } from 'typeorm';
import { prepared } from '#outbox/prepared.js';

/**
 * Rows of an entity's table by a key, as entities: `rest` is all that follows the table's name. TypeORM's own
 * finds build and plan a statement each time, which costs more than the answer. Give it keys only: see
 * `prepared`.
 */
export async function readRows<T extends ObjectLiteral>(
  db: EntityManager,
  entity: new () => T,
  rest: string,
  values: readonly unknown[],
): Promise<T[]> {
  const { tableName, columns } = db.connection.getMetadata(entity);
  const statement = prepared(`SELECT * FROM ${tableName} ${rest}`);
  const records = await db.query<Record<string, unknown>[]>(statement, [...values]);
  return records.map((record) => {
    const fields = columns.map(({ propertyName, databaseName, transformer }) => {
      const value = record[databaseName];
      return [propertyName, transformer ? (transformer as ValueTransformer).from(value) : value];
    });
    return Object.fromEntries(fields) as T;
  });
}
