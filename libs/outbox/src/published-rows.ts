import type { DataSource } from 'typeorm';
import { prepared } from './prepared.js';
import type { CommittedRow } from './unit-of-work.js';

/** Far below the age at which a row is taken for one that nobody publishes. */
const WAIT_MS_MAX = 200;
/** Rows of one removal. */
const ROWS_MAX = 500;
/** By both: in a database that was put back to an earlier time another row may have the number. */
const REMOVE = prepared(
  'DELETE FROM outbox WHERE id = ANY($1::bigint[]) AND message_id = ANY($2::text[])',
);

type Published = Pick<CommittedRow, 'id' | 'messageId'>;

/**
 * Rows of this process that the broker has. They wait a moment in the table for others, so that one
 * removal (a transaction, and a sync of the disk) does for many.
 */
export class PublishedRows {
  private rows: Published[] = [];
  private since = 0;

  constructor(private readonly database: Pick<DataSource, 'query'>) {}

  /** Milliseconds until they are to be removed; infinite where there are none. */
  get dueInMs(): number {
    if (this.rows.length === 0) return Number.POSITIVE_INFINITY;
    if (this.rows.length >= ROWS_MAX) return 0;
    return Math.max(this.since + WAIT_MS_MAX - performance.now(), 0);
  }

  get areDue(): boolean {
    return this.dueInMs === 0;
  }

  add(rows: readonly CommittedRow[]): void {
    if (this.rows.length === 0) this.since = performance.now();
    for (const { id, messageId } of rows) this.rows.push({ id, messageId });
  }

  /** Removes all of them. Where that fails they stay, and the next removal takes them along. */
  async remove(): Promise<void> {
    const rows = [...this.rows];
    if (rows.length === 0) return;
    this.since = performance.now();
    await this.database.query(REMOVE, [
      rows.map(({ id }) => id),
      rows.map(({ messageId }) => messageId),
    ]);
    this.rows = this.rows.slice(rows.length);
  }
}
