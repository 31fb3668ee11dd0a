import type { EntityManager } from 'typeorm';
import type { ResourceRequest, WaitingRequest } from '../domain/resource-request.js';
import type { AttemptId } from './allocations.js';
import { WaitingEntity } from './waiting.entity.js';

/** The SQL about what waits. */
export class Queue {
  constructor(private readonly db: EntityManager) {}

  async all(): Promise<WaitingRequest[]> {
    const rows = await this.db.find(WaitingEntity, { order: { priority: 'DESC', arrival: 'ASC' } });
    return rows.map(toRequest);
  }

  /** Puts a request at the end of the queue, or leaves it in its place. */
  async add(request: ResourceRequest): Promise<void> {
    const { job, attempt, purpose, client, priority } = request;
    const unit = request.purpose === 'write' ? request.unit : null;
    const media = request.purpose === 'read' ? request.media : null;
    await this.db.query(
      `INSERT INTO waiting (job, attempt, purpose, client, unit, media, priority)
       VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING`,
      [job, attempt, purpose, client, unit, media, priority],
    );
  }

  async remove(requests: readonly AttemptId[]): Promise<boolean> {
    if (requests.length === 0) return false;
    const [, removed] = (await this.db.query(
      `DELETE FROM waiting USING unnest($1::bigint[], $2::bigint[]) AS gone (job, attempt)
       WHERE waiting.job = gone.job AND waiting.attempt = gone.attempt`,
      [requests.map(({ job }) => job), requests.map(({ attempt }) => attempt)],
    )) as [unknown, number];
    return removed > 0;
  }

  /**
   * Takes the earlier attempts of a job out of queue and allocations, so that a new attempt never
   * waits for its own predecessor. Returns the newest attempt that is known, 0 for none.
   */
  async dropEarlierAttempts({ job, attempt }: AttemptId): Promise<number> {
    await this.db.query('DELETE FROM waiting WHERE job = $1 AND attempt < $2', [job, attempt]);
    await this.db.query('DELETE FROM allocation WHERE job = $1 AND attempt < $2', [job, attempt]);
    const rows: { newest: string | null }[] = await this.db.query(
      `SELECT max(attempt) AS newest FROM (
         SELECT attempt FROM waiting WHERE job = $1
         UNION ALL SELECT attempt FROM allocation WHERE job = $1) AS attempts`,
      [job],
    );
    return Number(rows[0]?.newest ?? 0);
  }
}

function toRequest(row: WaitingEntity): WaitingRequest {
  const { job, attempt, client, priority } = row;
  const shared = { job, attempt, client, priority, arrival: Number(row.arrival) };
  return row.purpose === 'write'
    ? { ...shared, purpose: 'write', unit: row.unit ?? '' }
    : { ...shared, purpose: 'read', media: row.media ?? [] };
}
