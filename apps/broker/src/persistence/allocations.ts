import type { EntityManager } from 'typeorm';
import { prepared } from '#outbox/prepared.js';
import type { AllocationEntity } from './entities/allocation.entity.js';

export interface AttemptId {
  readonly job: number;
  readonly attempt: number;
}

/** As pg hands it over; out of JSON, numbers and times are what JSON has for them. */
export interface AllocationRow {
  readonly allocation_id: string;
  readonly job: string;
  readonly attempt: string;
  readonly purpose: AllocationEntity['purpose'];
  readonly client: string;
  readonly policy: string | null;
  readonly unit: string | null;
  readonly pool: string | null;
  readonly fragment_bytes_max: string | null;
  readonly estimated_bytes: string;
  readonly multiplexing: number | null;
  readonly media: string[];
  readonly granted_at: Date | string;
  readonly lease_until: Date | string;
}

export interface AllocationFilter {
  readonly media?: string | undefined;
  readonly unit?: string | undefined;
  readonly pool?: string | undefined;
  readonly client?: string | undefined;
  readonly policy?: string | undefined;
}

const ADD = prepared(
  'INSERT INTO allocation SELECT * FROM json_populate_recordset(NULL::allocation, $1)',
);

/** The SQL about what is granted. */
export class Allocations {
  constructor(private readonly db: EntityManager) {}

  /** Those that fit all of the filter, the oldest first. */
  async first(filter: AllocationFilter, limit: number): Promise<AllocationEntity[]> {
    const rows: AllocationRow[] = await this.db.query(
      `SELECT * FROM allocation
       WHERE ($1::text IS NULL OR $1 = ANY (media)) AND ($2::text IS NULL OR unit = $2)
         AND ($3::text IS NULL OR pool = $3) AND ($4::text IS NULL OR client = $4)
         AND ($5::text IS NULL OR policy = $5)
       ORDER BY granted_at, job LIMIT $6`,
      [
        ...[filter.media ?? null, filter.unit ?? null, filter.pool ?? null],
        ...[filter.client ?? null, filter.policy ?? null, limit],
      ],
    );
    return rows.map(toAllocation);
  }

  /** Takes one away by its id, and says whose it was. */
  async release(allocationId: string): Promise<AttemptId | undefined> {
    const [rows] = (await this.db.query(
      'DELETE FROM allocation WHERE allocation_id = $1 RETURNING job, attempt',
      [allocationId],
    )) as [{ job: string; attempt: string }[], number];
    return rows.map(({ job, attempt }) => ({ job: Number(job), attempt: Number(attempt) }))[0];
  }

  /** Jobs that write to a media server or a unit, and that only read from the server. */
  async countOn(on: {
    media?: string;
    unit?: string;
  }): Promise<{ writing: number; reading: number }> {
    const rows: { writing: string; reading: string }[] = await this.db.query(
      `SELECT
         count(*) FILTER (WHERE unit = $2 OR unit IS NOT NULL AND media[1] = $1) AS writing,
         count(*) FILTER (WHERE $1 = ANY (media)
           AND (unit IS NULL OR media[1] <> $1)) AS reading
       FROM allocation`,
      [on.media ?? null, on.unit ?? null],
    );
    return { writing: Number(rows[0]!.writing), reading: Number(rows[0]!.reading) };
  }

  async add(rows: readonly AllocationEntity[]): Promise<void> {
    if (rows.length === 0) return;
    await this.db.query(ADD, [JSON.stringify(rows.map(toRow))]);
  }

  /** Releases what nobody renewed in time, and says what that was. */
  async releaseExpired(now: Date): Promise<AttemptId[]> {
    const [rows] = (await this.db.query(
      'DELETE FROM allocation WHERE lease_until <= $1 RETURNING job, attempt',
      [now],
    )) as [{ job: string; attempt: string }[], number];
    return rows.map(({ job, attempt }) => ({ job: Number(job), attempt: Number(attempt) }));
  }
}

/** As `AllocationRow` has it, with numbers as they are. */
function toRow(entity: AllocationEntity): object {
  const { purpose, client, policy, unit, pool, media, multiplexing } = entity;
  return {
    ...{ allocation_id: entity.allocationId, job: entity.job, attempt: entity.attempt },
    ...{ purpose, client, policy, unit, pool, media, multiplexing },
    ...{ fragment_bytes_max: entity.fragmentBytesMax, estimated_bytes: entity.estimatedBytes },
    ...{ granted_at: entity.grantedAt, lease_until: entity.leaseUntil },
  };
}

export function toAllocation(row: AllocationRow): AllocationEntity {
  const { purpose, client, policy, unit, pool, media, multiplexing } = row;
  return {
    ...{ allocationId: row.allocation_id, job: Number(row.job), attempt: Number(row.attempt) },
    ...{ purpose, client, policy, unit, pool, media, multiplexing },
    estimatedBytes: Number(row.estimated_bytes),
    fragmentBytesMax: row.fragment_bytes_max === null ? null : Number(row.fragment_bytes_max),
    ...{ grantedAt: new Date(row.granted_at), leaseUntil: new Date(row.lease_until) },
  };
}
