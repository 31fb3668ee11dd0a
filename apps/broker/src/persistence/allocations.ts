import type { EntityManager } from 'typeorm';
import { AllocationEntity } from './allocation.entity.js';

export interface AttemptId {
  readonly job: number;
  readonly attempt: number;
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
    if (rows.length > 0) await this.db.insert(AllocationEntity, [...rows]);
  }

  /** Extends the lease of an attempt's allocation and returns it; null when it has none. */
  async renew({ job, attempt }: AttemptId, leaseUntil: Date): Promise<AllocationEntity | null> {
    const held = await this.db.findOneBy(AllocationEntity, { job, attempt });
    if (held === null) return null;
    const { allocationId } = held;
    const { affected } = await this.db.update(AllocationEntity, { allocationId }, { leaseUntil });
    return affected === 1 ? Object.assign(held, { leaseUntil }) : null;
  }

  async release({ job, attempt }: AttemptId): Promise<boolean> {
    const { affected } = await this.db.delete(AllocationEntity, { job, attempt });
    return (affected ?? 0) > 0;
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
