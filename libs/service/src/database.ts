import { readFile } from 'node:fs/promises';
import type { Provider } from '@nestjs/common';
import {
  DataSource,
  type DataSourceOptions,
  type MigrationInterface,
  type QueryRunner,
} from 'typeorm';
import { Clock } from '#kernel/clock.js';
import { codeOf, messageOf, PermanentError, Unavailable } from '#kernel/errors.js';
import { STATUS } from '#kernel/status.js';
import { Publisher } from '#messaging/publisher.js';
import { OutboxRelay } from '#outbox/outbox-relay.js';
import { UnitOfWork } from '#outbox/unit-of-work.js';
import type { DatabaseConfig } from './config.js';
import { PreparingClient } from './preparing-client.js';
import { SettingsTable } from './settings/settings-table.js';

export type EntityClass = new () => object;
export type MigrationClass = new () => MigrationInterface;

/** What a service owns in the database: one schema, named after it. */
export interface OwnedSchema {
  readonly schema: string;
  readonly entities: readonly EntityClass[];
  readonly migrations: readonly MigrationClass[];
}

/** When all services start at once on a machine that has just booted, a connection takes a while. */
const CONNECT_MS_MAX = 30_000;
const IDLE_MS_MAX = 10_000;

/**
 * Connects, and brings the service's schema up to date. Throws `PermanentError` or `Unavailable` with
 * what to do; the password, and its file's place, stay out of every message.
 */
export async function openDatabase(
  config: DatabaseConfig,
  owned: OwnedSchema,
): Promise<DataSource> {
  const database = new DataSource(await dataSourceOptions(config, owned));
  try {
    await database.initialize();
    await migrate(database, owned.schema);
    return database;
  } catch (error) {
    if (database.isInitialized) await database.destroy();
    throw connectError(config.HOLDFAST_DATABASE_URL, error);
  }
}

/** A service's database, migrated and ready. */
export class ServiceDatabase {
  private constructor(private readonly dataSource: DataSource) {}

  /** See `openDatabase`. */
  static async open(config: DatabaseConfig, owned: OwnedSchema): Promise<ServiceDatabase> {
    return new ServiceDatabase(await openDatabase(config, owned));
  }

  /** What services get by injection. */
  providers(service: string): Provider[] {
    const { dataSource } = this;
    return [
      { provide: DataSource, useValue: dataSource },
      {
        provide: UnitOfWork,
        useFactory: (clock: Clock) => new UnitOfWork(dataSource, clock, service),
        inject: [Clock],
      },
      {
        provide: OutboxRelay,
        useFactory: (publisher: Publisher, unit: UnitOfWork) =>
          new OutboxRelay(dataSource, publisher, unit),
        inject: [Publisher, UnitOfWork],
      },
    ];
  }

  /** What publishes the outbox; to be started and stopped with the service. */
  readonly relay = OutboxRelay;

  /** What was set; for a service whose migrations make that table. */
  settings(): SettingsTable {
    return new SettingsTable(this.dataSource);
  }

  /** PostgreSQL's version. Throws when it can't be reached. */
  async version(): Promise<string> {
    const [row] = await this.dataSource.query<{ server_version: string }[]>('SHOW server_version');
    return row?.server_version ?? '';
  }

  close(): Promise<void> {
    return this.dataSource.destroy();
  }
}

async function dataSourceOptions(
  config: DatabaseConfig,
  owned: OwnedSchema,
): Promise<DataSourceOptions> {
  const { HOLDFAST_DATABASE_URL: url, HOLDFAST_DATABASE_PASSWORD_FILE: file } = config;
  return {
    type: 'postgres',
    // In the URL, which goes before a password beside it, also where it has none.
    url: file ? withPassword(url, (await readFile(file, 'utf8')).trim()) : url,
    schema: owned.schema,
    applicationName: `holdfast-${owned.schema}`,
    entities: [...owned.entities],
    migrations: [...owned.migrations],
    migrationsTableName: 'migrations',
    migrationsTransactionMode: 'all',
    connectTimeoutMS: CONNECT_MS_MAX,
    poolSize: config.HOLDFAST_DATABASE_CONNECTIONS_MAX,
    extra: {
      Client: PreparingClient,
      idleTimeoutMillis: IDLE_MS_MAX,
      // Names resolve in the service's own schema only: another's tables are out of sight.
      options: `-c search_path=${owned.schema} -c default_transaction_isolation=read\\ committed`,
    },
  };
}

/** The URL as it is where it has a password already. */
function withPassword(url: string, password: string): string {
  const toUser = /^\w+:\/\/[^/:@]+(?=@)/;
  return url.replace(toUser, (user) => `${user}:${encodeURIComponent(password)}`);
}

/** Migrations run under a lock, so that replicas that start together don't race. */
async function migrate(database: DataSource, schema: string): Promise<void> {
  const runner = database.createQueryRunner();
  try {
    await runner.query('SELECT pg_advisory_lock(hashtext($1))', [`holdfast ${schema}`]);
    await ensureSchema(runner, schema);
    await refuseLaterVersions(runner, database, schema);
    await database.runMigrations();
    await runner.query('SELECT pg_advisory_unlock(hashtext($1))', [`holdfast ${schema}`]);
  } finally {
    await runner.release();
  }
}

/** A later version's tables are not what this one reads and writes: it would fail at each, or worse, at none. */
async function refuseLaterVersions(
  runner: QueryRunner,
  database: DataSource,
  schema: string,
): Promise<void> {
  if (!(await runner.hasTable(`${schema}.migrations`))) return;
  const done: { name: string }[] = await runner.query(`SELECT name FROM "${schema}".migrations`);
  const known = new Set(database.migrations.map((one) => one.name ?? one.constructor.name));
  const later = done.find(({ name }) => !known.has(name));
  if (later === undefined) return;
  throw new PermanentError(
    STATUS.databaseError,
    `The database's schema "${schema}" was used by a later version of Holdfast (it has ${later.name}). ` +
      'Start that version, or a later one; this one can only use a database of its own.',
  );
}

/** Asks first: a user that owns only its schema may not even try to make it. */
async function ensureSchema(runner: QueryRunner, schema: string): Promise<void> {
  const found: unknown[] = await runner.query('SELECT 1 FROM pg_namespace WHERE nspname = $1', [
    schema,
  ]);
  if (found.length === 0) await runner.query(`CREATE SCHEMA "${schema}"`);
}

/** Without the password, and without what stands behind `?`, which may hold one, too. What is no address is not shown. */
function shownAddress(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  // An @ that is left: a password with a slash in it was taken for a path.
  if (!url || url.pathname.includes('@')) return 'the address in HOLDFAST_DATABASE_URL';
  return Object.assign(url, { password: '', search: '', hash: '' }).href;
}

function connectError(url: string, error: unknown): Error {
  const shown = shownAddress(url);
  switch (codeOf(error)) {
    case 'ECONNREFUSED':
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
    case 'ETIMEDOUT':
      return new Unavailable(
        `Nothing answers at ${shown}. Is PostgreSQL running there?`,
        STATUS.databaseError,
      );
    case '28P01':
    case '28000':
      return new PermanentError(
        STATUS.databaseError,
        `PostgreSQL at ${shown} refused the user or its password.`,
      );
    case '3D000':
      return new PermanentError(
        STATUS.databaseError,
        `There is no such database: ${shown}. Create it first.`,
      );
    case '42501':
      return new PermanentError(
        STATUS.databaseError,
        `The database user may not create its schema: ${messageOf(error)}`,
      );
    default:
      return error instanceof Error ? error : new Error(messageOf(error));
  }
}
