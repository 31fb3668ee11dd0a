import { Injectable, Logger } from '@nestjs/common';
import { randomBytes } from 'node:crypto';
import { DataSource } from 'typeorm';
import { messageOf } from '#kernel/errors.js';
import type { Queries } from './queries.js';

/**
 * The *era*: since the database was started, under this epoch. It cannot have gone back in time within
 * one, whether or not anybody has noticed yet.
 */
export const ERA = `(SELECT pg_postmaster_start_time()::text || ' ' || catalog_epoch
  FROM catalog_state)`;

/** The era that the database is in, to be read in the transaction that relies on it. */
export async function eraOf(db: Queries): Promise<string> {
  const [row] = await db.query<{ era: string }[]>(`SELECT coalesce(${ERA}, '') AS era`);
  return row!.era;
}

/**
 * Which catalog this is: the database system's identifier, its timeline, and a random part. Every
 * receipt bears it, so a media server notices that another catalog answers. It changes when the
 * database failed over or was restored to an earlier time (another timeline or system), and when
 * `renew` is called: after a restore of the catalog alone, or when a journal proves that it forgot.
 */
@Injectable()
export class CatalogEpoch {
  private readonly logger = new Logger('catalog');
  private known: Promise<string> | undefined;

  constructor(private readonly database: DataSource) {}

  /** As it was read last; a try that failed is made again at the next call. */
  get(): Promise<string> {
    this.known ??= this.read().catch((error: unknown) => {
      this.known = undefined;
      throw error;
    });
    return this.known;
  }

  /** Reads it again: another catalog may have changed it, or the database be another one by now. */
  async refresh(): Promise<string> {
    const before = await this.known?.catch(() => undefined);
    const now = await this.read();
    this.known = Promise.resolve(now);
    if (before !== undefined && before !== now) {
      this.logger.warn(`the catalog has a new epoch, ${now}`);
    }
    return now;
  }

  /**
   * One that no catalog has had, for `renew`. To be made before any lock is held: it asks by a connection of
   * its own, and those that there are may all wait for the lock.
   */
  async next(): Promise<string> {
    return `${await this.origin()}-${randomPart()}`;
  }

  /** Takes a new one, in a transaction of its own or of the caller, who calls `refresh` after it. */
  async renew(epoch: string, db: Queries = this.database): Promise<void> {
    await db.query('UPDATE catalog_state SET catalog_epoch = $1, made_at = now()', [epoch]);
  }

  private async read(): Promise<string> {
    const here = await this.origin();
    await this.database.query(
      `INSERT INTO catalog_state (the_only, catalog_epoch) VALUES (true, $1)
       ON CONFLICT DO NOTHING`,
      [`${here}-${randomPart()}`],
    );
    // Of several catalogs that notice at once, one changes it and all read that.
    await this.database.query(
      `UPDATE catalog_state SET catalog_epoch = $1, made_at = now()
       WHERE catalog_epoch NOT LIKE $2 || '-%'`,
      [`${here}-${randomPart()}`, here],
    );
    const [row] = await this.database.query<{ catalog_epoch: string }[]>(
      'SELECT catalog_epoch FROM catalog_state',
    );
    return row!.catalog_epoch;
  }

  /** System identifier and timeline. Some administrators keep them to themselves. */
  private async origin(): Promise<string> {
    try {
      const [row] = await this.database.query<{ id: string; timeline: number }[]>(
        `SELECT system_identifier::text AS id, timeline_id AS timeline
         FROM pg_control_system(), pg_control_checkpoint()`,
      );
      return row ? `${row.id}-${row.timeline}` : '0-0';
    } catch (error) {
      this.logger.warn(`no system identifier: ${messageOf(error)}`);
      return '0-0';
    }
  }
}

function randomPart(): string {
  return randomBytes(8).toString('hex');
}
