import { mkdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { Injectable, Logger } from '@nestjs/common';
import type { PoolClient } from 'pg';
import { from as copyFrom, to as copyTo } from 'pg-copy-streams';
import { DataSource, type QueryRunner } from 'typeorm';
import type { ResponseOf } from '#contracts/contract.js';
import type { catalogBackup, catalogRestore } from '#contracts/catalog/care.js';
import { sleep } from '#kernel/backoff.js';
import { Clock } from '#kernel/clock.js';
import { codeOf, messageOf, PermanentError } from '#kernel/errors.js';
import { STATUS } from '#kernel/status.js';
import { CatalogConfig } from '../config.js';
import {
  advanceIdentities,
  catalogTables,
  schemaVersion,
  type CatalogTable,
} from '../persistence/care/catalog-tables.js';
import { JobNumbers } from '../persistence/care/job-numbers.js';
import { allBlocksAlone } from '../persistence/files/block-locks.js';
import { CatalogEpoch } from '../persistence/catalog-epoch.js';
import {
  CatalogFileWriter,
  notWritable,
  readCatalogFile,
  type CatalogFileHead,
  type CatalogFileSection,
} from './catalog-file.js';

/** SQLSTATE `deadlock_detected`, which takes a second to be noticed. */
const DEADLOCK = '40P01';
const TRIES_MAX = 10;
const TRY_AGAIN_MS = 200;

/** The whole catalog out to a file and back. Both see the database at one moment. */
@Injectable()
export class CatalogCopies {
  private readonly logger = new Logger('copies');

  constructor(
    private readonly database: DataSource,
    private readonly epoch: CatalogEpoch,
    private readonly clock: Clock,
    private readonly config: CatalogConfig,
  ) {}

  async backup(): Promise<ResponseOf<typeof catalogBackup>> {
    const folder = await this.folder();
    const takenAt = this.clock.now().toISOString();
    const path = join(folder, `catalog-${takenAt.replaceAll(':', '')}.gz`);
    const file = new CatalogFileWriter(path);
    try {
      const counts = await this.alone('REPEATABLE READ', (runner) =>
        this.write(file, takenAt, runner),
      );
      return { path, ...counts, bytes: (await stat(path)).size };
    } catch (error) {
      await file.discard().catch((why: unknown) => {
        this.logger.warn(`${path}.partial is left: ${messageOf(why)}`);
      });
      throw error;
    }
  }

  /**
   * Everything is replaced or nothing; only who works for which job is taken from what was there, see
   * `JobNumbers`. What media servers have beyond it comes back by reconciling.
   */
  async restore(path: string): Promise<ResponseOf<typeof catalogRestore>> {
    const epoch = await this.epoch.next();
    const counts = await this.despiteDeadlocks(async (runner) => {
      // A load holds one table and asks for another by a second connection: let none be at work.
      await allBlocksAlone(runner);
      const tables = await catalogTables(runner);
      await runner.query(`LOCK TABLE ${list(tables.map(({ name }) => name))}`);
      const jobNumbers = new JobNumbers(runner);
      await jobNumbers.remember();
      const target = new TableTarget(runner, tables, await schemaVersion(runner));
      const { images, fragments } = await readCatalogFile(path, target);
      await jobNumbers.keepKnown();
      await advanceIdentities(runner);
      await this.epoch.renew(epoch, runner);
      return { images, fragments };
    });
    return { ...counts, catalogEpoch: await this.epoch.refresh() };
  }

  private async write(file: CatalogFileWriter, takenAt: string, runner: QueryRunner) {
    const schema = await schemaVersion(runner);
    const catalogEpoch = await this.epoch.get();
    await file.head({ holdfast: 'catalog', version: 1, schema, catalogEpoch, takenAt });
    const client = (await runner.connect()) as PoolClient;
    for (const { name, columns } of await catalogTables(runner)) {
      const rows = client.query(copyTo(`COPY "${name}" (${list(columns)}) TO STDOUT`));
      await file.section({ table: name, columns: [...columns] }, rows);
    }
    const [row] = (await runner.query(
      `SELECT (SELECT count(*) FROM image) AS images, (SELECT count(*) FROM fragment) AS fragments`,
    )) as { images: string; fragments: string }[];
    const counts = { images: Number(row!.images), fragments: Number(row!.fragments) };
    await file.finish({ end: true, ...counts });
    return counts;
  }

  /**
   * Whoever commits meanwhile takes tables in another order, and PostgreSQL ends one of two that wait for
   * each other. It may be this one, before it has changed anything.
   */
  private async despiteDeadlocks<T>(work: (runner: QueryRunner) => Promise<T>): Promise<T> {
    for (let tries = 1; ; tries += 1) {
      try {
        return await this.alone('READ COMMITTED', work);
      } catch (error) {
        if (codeOf(error) !== DEADLOCK || tries === TRIES_MAX) throw error;
        this.logger.warn(`a restore has met a deadlock: ${messageOf(error)}; trying again`);
        await sleep(tries * TRY_AGAIN_MS);
      }
    }
  }

  private async alone<T>(
    isolation: 'REPEATABLE READ' | 'READ COMMITTED',
    work: (runner: QueryRunner) => Promise<T>,
  ): Promise<T> {
    const runner = this.database.createQueryRunner();
    await runner.connect();
    try {
      await runner.startTransaction(isolation);
      const result = await work(runner);
      await runner.commitTransaction();
      return result;
    } catch (error) {
      if (runner.isTransactionActive) await runner.rollbackTransaction();
      throw error;
    } finally {
      await runner.release();
    }
  }

  private async folder(): Promise<string> {
    const { backupFolder } = this.config;
    if (backupFolder === undefined) {
      throw new PermanentError(
        STATUS.invalidParameter,
        'The catalog does not know where to put backups: set HOLDFAST_CATALOG_BACKUP_FOLDER.',
      );
    }
    try {
      await mkdir(backupFolder, { recursive: true, mode: 0o700 });
    } catch (error) {
      throw notWritable(backupFolder, error);
    }
    return backupFolder;
  }
}

/** Takes a file's tables in the place of those that are there. */
class TableTarget {
  constructor(
    private readonly runner: QueryRunner,
    private readonly tables: readonly CatalogTable[],
    private readonly schema: string,
  ) {}

  async head({ schema }: CatalogFileHead): Promise<void> {
    if (schema !== this.schema) {
      throw new PermanentError(
        STATUS.invalidParameter,
        'The backup is of another release: restore it with that one, and update then.',
        'path',
      );
    }
    await this.runner.query(`TRUNCATE ${list(this.tables.map(({ name }) => name))}`);
  }

  /** Names come from a file: only those that the schema has are put into a statement. */
  async section({ table, columns }: CatalogFileSection) {
    const known = this.tables.find(({ name }) => name === table);
    if (!known || columns.some((column) => !known.columns.includes(column))) {
      throw new PermanentError(
        STATUS.invalidParameter,
        `The backup holds an unknown table "${table}".`,
        'path',
      );
    }
    const client = (await this.runner.connect()) as PoolClient;
    return client.query(copyFrom(`COPY "${table}" (${list(columns)}) FROM STDIN`));
  }
}

function list(names: readonly string[]): string {
  return names.map((name) => `"${name}"`).join(', ');
}
