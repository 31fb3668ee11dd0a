import type { EntityManager } from 'typeorm';
import { AllocationEntity } from './allocation.entity.js';

export interface AttemptId {
  readonly job: number;
  readonly attempt: number;
}

interface Row {
  readonly allocation_id: string;
  readonly job: string;
  readonly attempt: string;
  readonly purpose: AllocationEntity['purpose'];
  readonly client: string;
  readonly unit: string | null;
  readonly pool: string | null;
  readonly fragment_bytes_max: string | null;
  readonly media: string[];
  readonly granted_at: Date;
  readonly lease_until: Date;
}

/** The SQL about what is granted. */
export class Allocations {
  constructor(private readonly db: EntityManager) {}

  first(limit: number): Promise<AllocationEntity[]> {
    return this.db.find(AllocationEntity, {
      order: { grantedAt: 'ASC', job: 'ASC' },
      take: limit,
    });
  }

  async add(rows: readonly AllocationEntity[]): Promise<void> {
    if (rows.length === 0) return;
    await this.db
      .createQueryBuilder()
      .insert()
      .into(AllocationEntity)
      .values([...rows])
      .updateEntity(false)
      .execute();
  }

  /** Extends the lease of an attempt's allocation and returns it; undefined when it has none. */
  async renew(
    { job, attempt }: AttemptId,
    leaseUntil: Date,
  ): Promise<AllocationEntity | undefined> {
    const [rows] = (await this.db.query(
      'UPDATE allocation SET lease_until = $3 WHERE job = $1 AND attempt = $2 RETURNING *',
      [job, attempt, leaseUntil],
    )) as [Row[], number];
    return rows.map(toEntity)[0];
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

function toEntity(row: Row): AllocationEntity {
  const { purpose, client, unit, pool, media } = row;
  return {
    ...{ allocationId: row.allocation_id, job: Number(row.job), attempt: Number(row.attempt) },
    ...{ purpose, client, unit, pool, media },
    fragmentBytesMax: row.fragment_bytes_max === null ? null : Number(row.fragment_bytes_max),
    ...{ grantedAt: row.granted_at, leaseUntil: row.lease_until },
  };
}
