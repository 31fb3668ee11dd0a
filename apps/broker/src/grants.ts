import { allocationGranted, type Allocation } from '#contracts/broker.js';
import { uuidv7 } from '#kernel/ids.js';
import type { Work } from '#outbox/unit-of-work.js';
import { bytesOf, multiplexingOf, type WaitingRequest } from './domain/resource-request.js';
import type { Resources } from './domain/resources.js';
import type { Grant, Walk } from './domain/plan/walk.js';
import { Allocations } from './persistence/allocations.js';
import type { AllocationEntity } from './persistence/entities/allocation.entity.js';
import { Queue } from './persistence/queue.js';
import type { ResourceTable } from './persistence/resource-table.js';
import { StorageUnits } from './persistence/storage-units.js';

/** Makes a walk's grants allocations, in one transaction. */
export class Grants {
  constructor(
    private readonly work: Work,
    private readonly now: Date,
    private readonly leaseUntil: Date,
  ) {}

  /**
   * Writes them down and takes them out of the queue. Who waited hears it by an event; those who are
   * `asking` did not, and what they got is returned, by their arrivals.
   */
  async make(
    walk: Walk,
    table: ResourceTable,
    asking: readonly WaitingRequest[] = [],
  ): Promise<Map<number, Allocation>> {
    const { db } = this.work;
    const answers = new Map<number, Allocation>();
    if (walk.grants.length === 0) return answers;
    const rows = walk.grants.map((grant) => this.toRow(grant, table));
    await new Allocations(db).add(rows);
    await new StorageUnits(db).setChosen(walk.chosen());
    const arrivals = new Set(asking.map(({ arrival }) => arrival));
    await new Queue(db).remove(walk.grants.filter(({ arrival }) => !arrivals.has(arrival)));
    for (const [index, { arrival, job }] of walk.grants.entries()) {
      const allocation = table.describe(rows[index]!);
      if (arrivals.has(arrival)) answers.set(arrival, allocation);
      else this.work.announce(allocationGranted, String(job), allocation);
    }
    return answers;
  }

  private toRow(grant: Grant, { units }: Pick<Resources, 'units'>): AllocationEntity {
    const { job, attempt, purpose, client, place } = grant;
    const unit = place.unit === null ? undefined : units.get(place.unit);
    return {
      ...{ allocationId: uuidv7(this.now), job, attempt, purpose, client },
      policy: grant.purpose === 'read' ? null : (grant.policy ?? null),
      unit: unit?.name ?? null,
      pool: unit?.pool ?? null,
      fragmentBytesMax: unit?.fragmentBytesMax ?? null,
      estimatedBytes: bytesOf(grant),
      multiplexing: multiplexingOf(grant) ?? null,
      media: [...place.media],
      grantedAt: this.now,
      leaseUntil: this.leaseUntil,
    };
  }
}
