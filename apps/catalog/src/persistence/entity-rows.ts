import type { EntityManager, ObjectLiteral, ValueTransformer } from 'typeorm';
import { prepared } from '#outbox/prepared.js';

// What TypeORM does with rows of an entity builds and plans a statement each time, which costs more than
// all the rest. These do it by statements that are planned once: give them keys only, see `prepared`.

/** Rows of an entity's table by a key, as entities: `rest` is all that follows the table's name. */
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

/** Adds a row. `sql` has expressions for columns (by property) that are no plain values. */
export async function insertRow<T extends ObjectLiteral>(
  db: EntityManager,
  entity: new () => T,
  row: Partial<T>,
  sql: Readonly<Record<string, string>> = {},
): Promise<void> {
  const values = Object.entries(row);
  const names = nameColumns(db, entity, [
    ...values.map(([property]) => property),
    ...Object.keys(sql),
  ]);
  const places = [...values.map((_, n) => `$${n + 1}`), ...Object.values(sql)];
  await db.query(
    prepared(`INSERT INTO ${names.table} (${names.columns.join()}) VALUES (${places.join()})`),
    values.map(([, value]) => value),
  );
}

/** Changes the row with this value of a key (a property). */
export async function updateRow<T extends ObjectLiteral>(
  db: EntityManager,
  entity: new () => T,
  [key, value]: readonly [keyof T & string, unknown],
  changes: Partial<T>,
): Promise<void> {
  const values = Object.entries(changes);
  const names = nameColumns(db, entity, [key, ...values.map(([property]) => property)]);
  const [keyColumn, ...columns] = names.columns;
  const sets = columns.map((column, n) => `${column} = $${n + 2}`);
  await db.query(prepared(`UPDATE ${names.table} SET ${sets.join()} WHERE ${keyColumn} = $1`), [
    value,
    ...values.map(([, changed]) => changed),
  ]);
}

function nameColumns(
  db: EntityManager,
  entity: new () => ObjectLiteral,
  properties: readonly string[],
): { table: string; columns: string[] } {
  const metadata = db.connection.getMetadata(entity);
  const columns = properties.map(
    (property) => metadata.findColumnWithPropertyName(property)!.databaseName,
  );
  return { table: metadata.tableName, columns };
}
