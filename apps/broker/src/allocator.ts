import { Injectable, Logger } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { allocationGranted, type Allocation, type StorageUnit } from '#contracts/broker.js';
import { Clock } from '#kernel/clock.js';
import { uuidv7 } from '#kernel/ids.js';
import { UnitOfWork, type Work } from '#outbox/unit-of-work.js';
import { BrokerSettings } from './config.js';
import { firstUnit } from './domain/first-unit.js';
import { plan, type Grant } from './domain/plan.js';
import {
  NAMES_SHOWN_MAX,
  refusal,
  superseded,
  unitRefusal,
  unknownClient,
} from './domain/refusal.js';
import type { ResourceRequest } from './domain/resource-request.js';
import { AllocationEntity } from './persistence/allocation.entity.js';
import { Allocations, type AttemptId } from './persistence/allocations.js';
import { Attempts } from './persistence/attempts.js';
import { Hosts } from './persistence/hosts.js';
import { Queue } from './persistence/queue.js';
import { ResourceTable } from './persistence/resource-table.js';
import { StorageUnits } from './persistence/storage-units.js';
import { SharedTransaction } from './shared-transaction.js';

export type AllocateAnswer =
  | { readonly state: 'granted'; readonly allocation: Allocation }
  | { readonly state: 'queued'; readonly reason: string };

/**
 * Hands resources out. Each change happens in a transaction under one lock that all replicas share:
 * it reads what there is, plans, grants, and announces in its outbox. So no two of them can hand out
 * the same slot, and a crash leaves either all of a change or nothing.
 */
@Injectable()
export class Allocator {
  private readonly logger = new Logger('allocator');
  private readonly transaction: SharedTransaction;

  constructor(
    private readonly database: DataSource,
    unitOfWork: UnitOfWork,
    private readonly clock: Clock,
    private readonly settings: BrokerSettings,
  ) {
    this.transaction = new SharedTransaction(unitOfWork, 'holdfast broker');
  }

  /**
   * Grants all that an attempt needs, or queues it. Asking again gives the same answer and renews
   * the lease. Throws `PermanentError` for what can never be granted.
   */
  async allocate(request: ResourceRequest): Promise<AllocateAnswer> {
    const { manager } = this.database;
    return (await this.answerAgain(request, manager)) ?? (await this.allocateAnew(request));
  }

  /** Gives back what an attempt holds or waits for; false when that was nothing. */
  release(attempt: AttemptId): Promise<boolean> {
    return this.locked(async (work, now) => {
      const { held, waited } = await new Attempts(work.db).release(attempt);
      if (held) await this.grantWaiting(work, now);
      return held || waited;
    });
  }

  /**
   * Grants what can be granted by now, after something has changed. Leases that ran out are
   * released first, and a cluster without any storage unit gets its first one.
   */
  evaluate(): Promise<void> {
    return this.locked(async (work, now) => {
      for (const { job, attempt } of await new Allocations(work.db).releaseExpired(now)) {
        this.logger.warn(`job ${job} attempt ${attempt}: the lease ran out and was not renewed`);
      }
      const unit = firstUnit(await ResourceTable.read(work.db));
      if (unit !== undefined) {
        await new StorageUnits(work.db).put(unit);
        this.logger.log(`made storage unit default on pool ${unit.pool} of ${unit.mediaId}`);
      }
      await this.grantWaiting(work, now);
    });
  }

  async putUnit(unit: StorageUnit): Promise<void> {
    await this.locked(async (work, now) => {
      const wrong = unitRefusal(unit, (await ResourceTable.read(work.db)).servers);
      if (wrong !== undefined) throw wrong;
      await new StorageUnits(work.db).put(unit);
      await this.grantWaiting(work, now);
    });
  }

  private locked<T>(change: (work: Work, now: Date) => Promise<T>): Promise<T> {
    return this.transaction.run((work) => change(work, this.clock.now()));
  }

  /** Whoever asks again every few seconds gets an answer without the lock that others need. */
  private async answerAgain(
    request: ResourceRequest,
    db: Work['db'],
  ): Promise<AllocateAnswer | undefined> {
    const now = this.clock.now();
    const held = await new Allocations(db).renew(request, this.leaseUntil(now));
    if (held !== undefined) {
      return { state: 'granted', allocation: (await ResourceTable.read(db)).describe(held) };
    }
    const waiting = await new Queue(db).find(request);
    if (waiting === undefined) return undefined;
    const [wait] = plan([waiting], await ResourceTable.read(db), now).waits;
    return wait && { state: 'queued', reason: wait.reason };
  }

  private allocateAnew(request: ResourceRequest): Promise<AllocateAnswer> {
    return this.locked(async (work, now) => {
      const newest = await new Attempts(work.db).replaceEarlier(request);
      if (newest > request.attempt) throw superseded(request, newest);
      if (newest === request.attempt) {
        // It asked twice at once, or waits for what has become free: it is in the tables already.
        await this.grantWaiting(work, now);
        const answer = await this.answerAgain(request, work.db);
        if (answer === undefined) throw new Error(`job ${request.job} neither holds nor waits`);
        return answer;
      }
      return this.grantOrQueue(request, work, now);
    });
  }

  private async grantOrQueue(
    request: ResourceRequest,
    work: Work,
    now: Date,
  ): Promise<AllocateAnswer> {
    const table = await ResourceTable.read(work.db);
    await this.refuse(request, table, work);
    const asking = { ...request, arrival: Number.MAX_SAFE_INTEGER };
    const candidates = [...(await new Queue(work.db).candidates(now)), asking];
    const { grants, waits } = plan(candidates, table, now);
    const rows = await this.grant(grants, { table, work, now });
    announce(
      work,
      rows.filter((row) => !isFor(request, row)),
    );
    const mine = rows.find((row) => isFor(request, row));
    if (mine !== undefined) return { state: 'granted', allocation: mine };
    await new Queue(work.db).add(request);
    const wait = waits.find(({ request: other }) => other === asking);
    return { state: 'queued', reason: wait!.reason };
  }

  private async refuse(
    request: ResourceRequest,
    table: ResourceTable,
    { db }: Work,
  ): Promise<void> {
    const wrong = refusal(request, table);
    if (wrong !== undefined) throw wrong;
    // Media servers move images among themselves, also of a client that has gone.
    if (request.purpose !== 'write') return;
    const hosts = new Hosts(db);
    if ((await hosts.client(request.client)) === null) {
      throw unknownClient(request.client, await hosts.someClients(NAMES_SHOWN_MAX));
    }
  }

  private async grantWaiting(work: Work, now: Date): Promise<void> {
    const candidates = await new Queue(work.db).candidates(now);
    if (candidates.length === 0) return;
    const table = await ResourceTable.read(work.db);
    const { grants } = plan(candidates, table, now);
    announce(work, await this.grant(grants, { table, work, now }));
  }

  private async grant(
    requests: readonly Grant[],
    { table, work, now }: { table: ResourceTable; work: Work; now: Date },
  ): Promise<Allocation[]> {
    const rows = requests.map((request) => this.toRow(request, table, now));
    await new Allocations(work.db).add(rows);
    const waited = requests.filter(({ arrival }) => arrival !== Number.MAX_SAFE_INTEGER);
    await new Queue(work.db).remove(waited);
    return rows.map((row) => table.describe(row));
  }

  private toRow(grant: Grant, table: ResourceTable, now: Date): AllocationEntity {
    const { job, attempt, purpose, client, place } = grant;
    const unit = place.unit === null ? undefined : table.units.get(place.unit);
    return {
      ...{ allocationId: uuidv7(now), job, attempt, purpose, client },
      unit: unit?.name ?? null,
      pool: unit?.pool ?? null,
      fragmentBytesMax: unit?.fragmentBytesMax ?? null,
      media: [...place.media],
      grantedAt: now,
      leaseUntil: this.leaseUntil(now),
    };
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

function isFor(a: AttemptId, b: AttemptId): boolean {
  return a.job === b.job && a.attempt === b.attempt;
}
