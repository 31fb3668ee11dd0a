import pg from 'pg';
import type { TestPostgres } from '../../support/postgres.js';
import {
  DatabaseError,
  type DatabaseErrorCode,
  type Keyed,
  type Row,
  type TableSpec,
  type Transaction,
} from '../parts/database.js';
import type { DatabaseUnderTest } from './describe-database.js';

/** SQLSTATE: deadlock, unique violation; and the classes of a lost connection. */
const CODES: Readonly<Record<string, DatabaseErrorCode>> = {
  '40P01': 'deadlock',
  '23505': 'unique',
};

/** PostgreSQL behind the contract suite: a table is a key and a JSON value. */
export class PostgresDatabase implements DatabaseUnderTest {
  private constructor(private readonly server: TestPostgres) {}

  static async make(server: TestPostgres, tables: readonly TableSpec[]): Promise<PostgresDatabase> {
    const made = new PostgresDatabase(server);
    await made.administer(server.superuserUrl, [
      'CREATE SEQUENCE contract_counter',
      ...tables.flatMap(({ name, unique = [] }) => [
        `CREATE TABLE ${name} (key text COLLATE "C" PRIMARY KEY, value jsonb NOT NULL)`,
        ...unique.map((column) => `CREATE UNIQUE INDEX ON ${name} ((value->>'${column}'))`),
      ]),
    ]);
    return made;
  }

  async begin(): Promise<Transaction> {
    const client = new pg.Client({ connectionString: this.server.superuserUrl });
    // A connection that the server ends reports it here; the next statement tells the test.
    client.on('error', () => undefined);
    await client.connect();
    await client.query('BEGIN');
    return new PostgresTransaction(client);
  }

  async disconnect(transaction: Transaction): Promise<void> {
    (transaction as PostgresTransaction).hangUp();
  }

  async commitUnheard(transaction: Transaction): Promise<void> {
    (transaction as PostgresTransaction).commitAndHangUp();
  }

  async mark(): Promise<void> {
    await this.copyDatabase(this.name, `${this.name}_mark`);
  }

  async goBack(): Promise<void> {
    await this.copyDatabase(`${this.name}_mark`, this.name);
  }

  private get name(): string {
    return new URL(this.server.superuserUrl).pathname.slice(1);
  }

  private async copyDatabase(from: string, to: string): Promise<void> {
    const elsewhere = new URL(this.server.superuserUrl);
    elsewhere.pathname = '/template1';
    await this.administer(elsewhere.href, [
      `DROP DATABASE IF EXISTS ${to} WITH (FORCE)`,
      `CREATE DATABASE ${to} TEMPLATE ${from}`,
    ]);
  }

  private async administer(url: string, statements: readonly string[]): Promise<void> {
    const client = new pg.Client({ connectionString: url });
    await client.connect();
    try {
      for (const statement of statements) await client.query(statement);
    } finally {
      await client.end();
    }
  }
}

class PostgresTransaction implements Transaction {
  constructor(private readonly client: pg.Client) {}

  async read(table: string, key: string): Promise<Row | undefined> {
    const [found] = await this.rows(`SELECT * FROM ${table} WHERE key = $1`, [key]);
    return found?.row;
  }

  select(table: string, where: Row): Promise<Keyed[]> {
    const wanted = JSON.stringify(where);
    return this.rows(`SELECT * FROM ${table} WHERE value @> $1 ORDER BY key`, [wanted]);
  }

  async lock(table: string, key: string, mode: 'share' | 'update'): Promise<Row | undefined> {
    const [found] = await this.rows(`SELECT * FROM ${table} WHERE key = $1 FOR ${mode}`, [key]);
    return found?.row;
  }

  claim(table: string, limit: number): Promise<Keyed[]> {
    const sql = `SELECT * FROM ${table} ORDER BY key LIMIT $1 FOR UPDATE SKIP LOCKED`;
    return this.rows(sql, [limit]);
  }

  insert(table: string, key: string, row: Row): Promise<boolean> {
    return this.changes(`INSERT INTO ${table} VALUES ($1, $2) ON CONFLICT DO NOTHING`, [
      ...[key, JSON.stringify(row)],
    ]);
  }

  update(table: string, key: string, row: Row): Promise<boolean> {
    return this.changes(`UPDATE ${table} SET value = $2 WHERE key = $1`, [
      ...[key, JSON.stringify(row)],
    ]);
  }

  remove(table: string, key: string): Promise<boolean> {
    return this.changes(`DELETE FROM ${table} WHERE key = $1`, [key]);
  }

  async next(): Promise<number> {
    const sql = `SELECT nextval('contract_counter') AS value`;
    const { rows } = await this.run<{ value: string }>(sql, []);
    return Number(rows[0]!.value);
  }

  async commit(): Promise<void> {
    await this.run('COMMIT', []);
    await this.client.end();
  }

  async rollback(): Promise<void> {
    await this.client.query('ROLLBACK').catch(() => undefined);
    await this.client.end().catch(() => undefined);
  }

  hangUp(): void {
    socketOf(this.client).destroy();
  }

  /** The server gets the COMMIT and then finds that nobody is there to be told. */
  commitAndHangUp(): void {
    this.client.query('COMMIT').catch(() => undefined);
    socketOf(this.client).destroySoon();
  }

  private async rows(sql: string, values: readonly unknown[]): Promise<Keyed[]> {
    const { rows } = await this.run<{ key: string; value: Row }>(sql, values);
    return rows.map(({ key, value }) => ({ key, row: value }));
  }

  private async changes(sql: string, values: readonly unknown[]): Promise<boolean> {
    return ((await this.run(sql, values)).rowCount ?? 0) > 0;
  }

  private async run<T extends pg.QueryResultRow>(
    sql: string,
    values: readonly unknown[],
  ): Promise<pg.QueryResult<T>> {
    try {
      return await this.client.query<T>(sql, [...values]);
    } catch (error) {
      const code = (error as { code?: string }).code ?? '';
      throw new DatabaseError(CODES[code] ?? orThrow(error, code));
    }
  }
}

/** A connection that is gone has a code of class 57, or none and says so in words. */
function orThrow(error: unknown, code: string): 'away' {
  const isLost = code.startsWith('57') || /connection|not queryable/i.test(String(error));
  if (!isLost) throw error;
  return 'away';
}

function socketOf(client: pg.Client): import('node:net').Socket {
  return (client as unknown as { connection: { stream: import('node:net').Socket } }).connection
    .stream;
}
