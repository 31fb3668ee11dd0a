import type { EntityManager } from 'typeorm';
import type { QueueTurn } from '#contracts/broker.js';
import type { WaitingRequest } from '../domain/resource-request.js';
import { toWaiting, type WaitingRow } from './waiting-row.js';

export interface QueueFilter {
  readonly unit?: string | undefined;
  readonly client?: string | undefined;
  readonly policy?: string | undefined;
}

export interface PlacedRequest {
  readonly request: WaitingRequest;
  /** In the whole queue, from 1. */
  readonly position: number;
}

/** The SQL about what waits, for people to look at. */
export class QueuePages {
  constructor(private readonly db: EntityManager) {}

  /** Up to `limit` requests behind `after` in the order of their turns. */
  async page(
    filter: QueueFilter,
    after: QueueTurn | undefined,
    limit: number,
  ): Promise<PlacedRequest[]> {
    const rows: (WaitingRow & { position: string })[] = await this.db.query(
      `SELECT * FROM (
         SELECT *, row_number() OVER (ORDER BY priority DESC, arrival) AS position FROM waiting
       ) AS placed
       WHERE ($1::text IS NULL OR unit = $1) AND ($2::text IS NULL OR client = $2)
         AND ($3::text IS NULL OR policy = $3)
         AND ($4::bigint IS NULL OR priority < $4 OR (priority = $4 AND arrival > $5::bigint))
       ORDER BY priority DESC, arrival LIMIT $6`,
      [
        ...[filter.unit ?? null, filter.client ?? null, filter.policy ?? null],
        ...[after?.priority ?? null, after?.arrival ?? null, limit],
      ],
    );
    return rows.map((row) => ({ request: toWaiting(row), position: Number(row.position) }));
  }

  async count(): Promise<number> {
    const rows: { count: string }[] = await this.db.query('SELECT count(*) AS count FROM waiting');
    return Number(rows[0]!.count);
  }
}
