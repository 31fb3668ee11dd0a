import type { EntityManager } from 'typeorm';
import type { ResourceRequest, WaitingRequest } from '../domain/resource-request.js';
import { upSince } from '../domain/liveness.js';
import type { AttemptId } from './allocations.js';

interface Row {
  readonly arrival: string;
  readonly job: string;
  readonly attempt: string;
  readonly purpose: ResourceRequest['purpose'];
  readonly client: string;
  readonly unit: string | null;
  readonly pool: string | null;
  readonly media: string[] | null;
  readonly any_of: string[][] | null;
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
   * Whoever could be granted something now: per unit as many writers as it has free slots, per pool
   * as many duplications as its units have, of those with a source that is up, and all readers. What
   * that costs does not grow with the queue.
   */
  async candidates(now: Date): Promise<WaitingRequest[]> {
    const rows: Row[] = await this.db.query(
      `SELECT next.* FROM storage_unit CROSS JOIN LATERAL (
         SELECT * FROM waiting WHERE waiting.unit = storage_unit.name
         ORDER BY priority DESC, arrival
         LIMIT greatest(0, jobs_max -
           (SELECT count(*) FROM allocation WHERE allocation.unit = storage_unit.name))) AS next
       UNION ALL SELECT next.* FROM (
         SELECT pool, sum(greatest(0, jobs_max -
           (SELECT count(*) FROM allocation WHERE allocation.unit = storage_unit.name))) AS free
         FROM storage_unit GROUP BY pool) AS room CROSS JOIN LATERAL (
         SELECT * FROM waiting WHERE waiting.pool = room.pool AND EXISTS (
           SELECT FROM media_server
           WHERE media_id = ANY (waiting.media) AND last_seen_at >= $1)
         ORDER BY priority DESC, arrival LIMIT room.free) AS next
       UNION ALL SELECT * FROM waiting WHERE unit IS NULL AND pool IS NULL`,
      [upSince(now)],
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
    const { unit, pool, media } = needs(request);
    const anyOf =
      request.purpose === 'read' && request.anyOf ? JSON.stringify(request.anyOf) : null;
    await this.db.query(
      `INSERT INTO waiting (job, attempt, purpose, client, unit, pool, media, any_of, priority)
       VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
      [job, attempt, purpose, client, unit, pool, media, anyOf, priority],
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
  switch (row.purpose) {
    case 'write':
      return { ...shared, purpose: 'write', unit: row.unit ?? '' };
    case 'read':
      return {
        ...{ ...shared, purpose: 'read', media: row.media ?? [] },
        ...(row.any_of ? { anyOf: row.any_of } : {}),
      };
    case 'duplicate':
      return {
        ...{ ...shared, purpose: 'duplicate' },
        ...{ pool: row.pool ?? '', sources: row.media ?? [] },
      };
    default:
      return row.purpose satisfies never;
  }
}

function needs(request: ResourceRequest): Pick<Row, 'unit' | 'pool' | 'media'> {
  switch (request.purpose) {
    case 'write':
      return { unit: request.unit, pool: null, media: null };
    case 'read':
      return { unit: null, pool: null, media: request.media };
    case 'duplicate':
      return { unit: null, pool: request.pool, media: request.sources };
    default:
      return request satisfies never;
  }
}
