import { Injectable, Logger } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { allocationGranted, type Allocation, type StorageUnit } from '#contracts/broker.js';
import { Clock } from '#kernel/clock.js';
import { uuidv7 } from '#kernel/ids.js';
import { UnitOfWork, type Work } from '#outbox/unit-of-work.js';
import { BrokerSettings } from './config.js';
import { firstUnit } from './domain/first-unit.js';
import { plan, type Wait } from './domain/plan.js';
import {
  NAMES_SHOWN_MAX,
  refusal,
  superseded,
  unitRefusal,
  unknownClient,
} from './domain/refusal.js';
import type { ResourceRequest, WaitingRequest } from './domain/resource-request.js';
import { AllocationEntity } from './persistence/allocation.entity.js';
import { Allocations, type AttemptId } from './persistence/allocations.js';
import { Hosts } from './persistence/hosts.js';
import { Queue } from './persistence/queue.js';
import { ResourceTable } from './persistence/resource-table.js';
import { StorageUnits } from './persistence/storage-units.js';

export type AllocateAnswer =
  | { readonly state: 'granted'; readonly allocation: Allocation }
  | { readonly state: 'queued'; readonly reason: string };

interface Evaluation {
  readonly granted: readonly Allocation[];
  readonly waits: readonly Wait[];
}

/**
 * Hands resources out. Each change is one transaction under one lock that all replicas share: it
 * reads what there is, plans, grants, and announces in its outbox. So no two of them can hand out
 * the same slot, and a crash leaves either all of a change or nothing.
 */
@Injectable()
export class Allocator {
  private readonly logger = new Logger('allocator');

  constructor(
    private readonly database: DataSource,
    private readonly unitOfWork: UnitOfWork,
    private readonly clock: Clock,
    private readonly settings: BrokerSettings,
  ) {}

  /**
   * Grants all that an attempt needs, or queues it. Asking again gives the same answer and renews
   * the lease. Throws `PermanentError` for what can never be granted.
   */
  async allocate(request: ResourceRequest): Promise<AllocateAnswer> {
    return (await this.answerAgain(request)) ?? (await this.allocateAnew(request));
  }

  /** Who asks again every few seconds gets an answer without the lock that the others need. */
  private async answerAgain(request: ResourceRequest): Promise<AllocateAnswer | undefined> {
    const db = this.database.manager;
    const now = this.clock.now();
    const held = await new Allocations(db).renew(request, this.leaseUntil(now));
    if (held !== null) return granted((await ResourceTable.read(db)).describe(held));
    const waiting = await new Queue(db).find(request);
    if (waiting === undefined) return undefined;
    const [wait] = plan([waiting], await ResourceTable.read(db), now).waits;
    return wait && { state: 'queued', reason: wait.reason };
  }

  private allocateAnew(request: ResourceRequest): Promise<AllocateAnswer> {
    return this.locked(async (work, now) => {
      const queue = new Queue(work.db);
      const newest = await queue.dropEarlierAttempts(request);
      if (newest > request.attempt) throw superseded(request, newest);
      const held = await new Allocations(work.db).renew(request, this.leaseUntil(now));
      if (held !== null) return granted((await ResourceTable.read(work.db)).describe(held));
      if (newest === 0) await this.refuse(request, work);
      const asking = await queue.add(request);
      const evaluation = await this.evaluateIn(work, now, asking);
      const mine = evaluation.granted.find((allocation) => isFor(request, allocation));
      announce(
        work,
        evaluation.granted.filter((allocation) => allocation !== mine),
      );
      return mine ? granted(mine) : queued(request, evaluation.waits);
    });
  }

  /** Gives back what an attempt holds or waits for; false when that was nothing. */
  release(attempt: AttemptId): Promise<boolean> {
    return this.locked(async (work, now) => {
      const waited = await new Queue(work.db).remove([attempt]);
      const held = await new Allocations(work.db).release(attempt);
      if (held) announce(work, (await this.evaluateIn(work, now)).granted);
      return held || waited;
    });
  }

  /** Grants what can be granted by now, after something has changed or a lease has run out. */
  evaluate(): Promise<void> {
    return this.locked(async (work, now) => {
      announce(work, (await this.evaluateIn(work, now)).granted);
    });
  }

  async putUnit(unit: StorageUnit): Promise<void> {
    await this.locked(async (work, now) => {
      const wrong = unitRefusal(unit, (await ResourceTable.read(work.db)).servers);
      if (wrong !== undefined) throw wrong;
      await new StorageUnits(work.db).put(unit);
      announce(work, (await this.evaluateIn(work, now)).granted);
    });
  }

  private locked<T>(change: (work: Work, now: Date) => Promise<T>): Promise<T> {
    return this.unitOfWork.run(async (work) => {
      await work.db.query(`SELECT pg_advisory_xact_lock(hashtextextended('holdfast broker', 0))`);
      return change(work, this.clock.now());
    });
  }

  private async refuse(request: ResourceRequest, { db }: Work): Promise<void> {
    const wrong = refusal(request, await ResourceTable.read(db));
    if (wrong !== undefined) throw wrong;
    const hosts = new Hosts(db);
    if ((await hosts.client(request.client)) === null) {
      throw unknownClient(request.client, await hosts.someClients(NAMES_SHOWN_MAX));
    }
  }

  /** `asking` gets a reason even if it is far back in the queue. */
  private async evaluateIn({ db }: Work, now: Date, asking?: WaitingRequest): Promise<Evaluation> {
    const allocations = new Allocations(db);
    for (const { job, attempt } of await allocations.releaseExpired(now)) {
      this.logger.warn(`job ${job} attempt ${attempt}: the lease ran out and was not renewed`);
    }
    const table = await this.withFirstUnit(db, await ResourceTable.read(db));
    const queue = new Queue(db);
    const candidates = await queue.candidates();
    if (asking && !candidates.some((each) => isFor(each, asking))) candidates.push(asking);
    const { grants, waits } = plan(candidates, table, now);
    const rows = grants.map((request) => this.toRow(request, table, now));
    await allocations.add(rows);
    await queue.remove(grants);
    return { granted: rows.map((row) => table.describe(row)), waits };
  }

  private async withFirstUnit(db: Work['db'], table: ResourceTable): Promise<ResourceTable> {
    const unit = firstUnit(table);
    if (unit === undefined) return table;
    await new StorageUnits(db).put(unit);
    this.logger.log(`made storage unit default on pool ${unit.pool} of ${unit.mediaId}`);
    return ResourceTable.read(db);
  }

  private toRow(request: WaitingRequest, table: ResourceTable, now: Date): AllocationEntity {
    const unit = request.purpose === 'write' ? table.units.get(request.unit) : undefined;
    return Object.assign(new AllocationEntity(), {
      allocationId: uuidv7(now),
      job: request.job,
      attempt: request.attempt,
      purpose: request.purpose,
      client: request.client,
      unit: unit?.name ?? null,
      pool: unit?.pool ?? null,
      fragmentBytesMax: unit?.fragmentBytesMax ?? null,
      media: request.purpose === 'read' ? [...new Set(request.media)] : [unit!.mediaId],
      grantedAt: now,
      leaseUntil: this.leaseUntil(now),
    });
  }

  private leaseUntil(now: Date): Date {
    return new Date(now.getTime() + this.settings.leaseMs);
  }
}

function announce(work: Work, granted: readonly Allocation[]): void {
  for (const allocation of granted) {
    work.announce(allocationGranted, String(allocation.job), allocation);
  }
}

function granted(allocation: Allocation): AllocateAnswer {
  return { state: 'granted', allocation };
}

function queued(request: AttemptId, waits: readonly Wait[]): AllocateAnswer {
  const wait = waits.find((candidate) => isFor(request, candidate.request));
  if (wait === undefined) throw new Error(`job ${request.job} is neither granted nor waiting`);
  return { state: 'queued', reason: wait.reason };
}

function isFor(a: AttemptId, b: AttemptId): boolean {
  return a.job === b.job && a.attempt === b.attempt;
}
