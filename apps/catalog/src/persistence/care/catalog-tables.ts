import { assert } from '#kernel/assert.js';

/** A table of the catalog's own schema with its columns, in one order. */
export interface CatalogTable {
  readonly name: string;
  readonly columns: readonly string[];
}

interface Queries {
  query<T = unknown>(sql: string, values?: unknown[]): Promise<T>;
}

/** Messages under way: a catalog that is put back must not send what it sent before. */
const LEFT_OUT = ['inbox', 'outbox', 'migrations'];

/** All tables whose content is the catalog, each behind those that it refers to. */
export async function catalogTables(db: Queries): Promise<CatalogTable[]> {
  const rows = await db.query<{ name: string; columns: string[] }[]>(
    `SELECT c.relname AS name, array_agg(a.attname ORDER BY a.attnum)::text[] AS columns
     FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
     WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind = 'r'
       AND a.attnum > 0 AND NOT a.attisdropped AND c.relname <> ALL($1::text[])
     GROUP BY c.relname ORDER BY c.relname`,
    [LEFT_OUT],
  );
  const references = await db.query<{ from: string; to: string }[]>(
    `SELECT f.relname AS from, t.relname AS to
     FROM pg_constraint k JOIN pg_class f ON f.oid = k.conrelid JOIN pg_class t ON t.oid = k.confrelid
     WHERE k.contype = 'f' AND k.connamespace = current_schema()::regnamespace`,
  );
  return inOrder(rows, references);
}

function inOrder(
  tables: readonly CatalogTable[],
  references: readonly { from: string; to: string }[],
): CatalogTable[] {
  const sorted: CatalogTable[] = [];
  let rest = [...tables];
  while (rest.length > 0) {
    const waiting = new Set(rest.map(({ name }) => name));
    const isFree = ({ name }: CatalogTable) =>
      !references.some(({ from, to }) => from === name && to !== name && waiting.has(to));
    const free = rest.filter(isFree);
    assert(free.length > 0, 'tables that refer to each other in a circle');
    sorted.push(...free);
    rest = rest.filter((table) => !free.includes(table));
  }
  return sorted;
}

/** The names of the migrations that made this schema: a file fits only the same ones. */
export async function schemaVersion(db: Queries): Promise<string> {
  const rows = await db.query<{ name: string }[]>('SELECT name FROM migrations ORDER BY id');
  return rows.map(({ name }) => name).join(',');
}

/** Has every identity column go on behind the rows that were put in. */
export async function advanceIdentities(db: Queries): Promise<void> {
  const rows = await db.query<{ name: string; column: string; sequence: string }[]>(
    `SELECT c.relname AS name, a.attname AS column,
       pg_get_serial_sequence(quote_ident(c.relname), a.attname) AS sequence
     FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
     WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind = 'r'
       AND a.attidentity <> '' AND c.relname <> ALL($1::text[])`,
    [LEFT_OUT],
  );
  for (const { name, column, sequence } of rows) {
    await db.query(
      `SELECT setval($1::regclass, greatest((SELECT max("${column}") FROM "${name}"), 1))`,
      [sequence],
    );
  }
}
