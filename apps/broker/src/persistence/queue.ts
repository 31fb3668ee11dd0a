import type { EntityManager } from 'typeorm';
import type { ResourceRequest, WaitingRequest } from '../domain/resource-request.js';
import type { AttemptId } from './allocations.js';

interface Row {
  readonly arrival: string;
  readonly job: string;
  readonly attempt: string;
  readonly purpose: 'write' | 'read';
  readonly client: string;
  readonly unit: string | null;
  readonly media: string[] | null;
  readonly priority: string;
}

/** The SQL about what waits. */
export class Queue {
  constructor(private readonly db: EntityManager) {}

  /** The first of the queue in the order of their turn, and how many there are. */
  async first(limit: number): Promise<{ requests: WaitingRequest[]; total: number }> {
    const rows: (Row & { total: string })[] = await this.db.query(
      `SELECT *, count(*) OVER () AS total FROM waiting ORDER BY priority DESC, arrival LIMIT $1`,
      [limit],
    );
    return { requests: rows.map(toRequest), total: Number(rows[0]?.total ?? 0) };
  }

  /**
   * Whoever could be granted something now: per unit as many writers as it has free slots, and all
   * readers. What that costs does not grow with the queue.
   */
  async candidates(): Promise<WaitingRequest[]> {
    const rows: Row[] = await this.db.query(
      `SELECT next.* FROM storage_unit CROSS JOIN LATERAL (
         SELECT * FROM waiting WHERE waiting.unit = storage_unit.name
         ORDER BY priority DESC, arrival
         LIMIT greatest(0, jobs_max -
           (SELECT count(*) FROM allocation WHERE allocation.unit = storage_unit.name))) AS next
       UNION ALL SELECT * FROM waiting WHERE unit IS NULL`,
    );
    return rows.map(toRequest);
  }

  async find({ job, attempt }: AttemptId): Promise<WaitingRequest | undefined> {
    const rows: Row[] = await this.db.query(
      'SELECT * FROM waiting WHERE job = $1 AND attempt = $2',
      [job, attempt],
    );
    return rows.map(toRequest)[0];
  }

  /** Puts a request at the end of the queue. */
  async add(request: ResourceRequest): Promise<void> {
    const { job, attempt, purpose, client, priority } = request;
    const unit = request.purpose === 'write' ? request.unit : null;
    const media = request.purpose === 'read' ? request.media : null;
    await this.db.query(
      `INSERT INTO waiting (job, attempt, purpose, client, unit, media, priority)
       VALUES ($1, $2, $3, $4, $5, $6, $7)`,
      [job, attempt, purpose, client, unit, media, priority],
    );
  }

  async remove(requests: readonly AttemptId[]): Promise<void> {
    if (requests.length === 0) return;
    await this.db.query(
      `DELETE FROM waiting USING unnest($1::bigint[], $2::bigint[]) AS gone (job, attempt)
       WHERE waiting.job = gone.job AND waiting.attempt = gone.attempt`,
      [requests.map(({ job }) => job), requests.map(({ attempt }) => attempt)],
    );
  }
}

function toRequest(row: Row): WaitingRequest {
  const shared = {
    job: Number(row.job),
    attempt: Number(row.attempt),
    client: row.client,
    priority: Number(row.priority),
    arrival: Number(row.arrival),
  };
  return row.purpose === 'write'
    ? { ...shared, purpose: 'write', unit: row.unit ?? '' }
    : { ...shared, purpose: 'read', media: row.media ?? [] };
}
