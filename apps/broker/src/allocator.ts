import { Injectable, Logger } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import type { Allocation, WaitReason } from '#contracts/broker.js';
import { Clock } from '#kernel/clock.js';
import { NotFound } from '#kernel/errors.js';
import { UnitOfWork, type Work } from '#outbox/unit-of-work.js';
import { BrokerSettings } from './config.js';
import { firstUnit } from './domain/first-unit.js';
import { NAMES_SHOWN_MAX, refusal, superseded, unknownClient } from './domain/refusal.js';
import type { ResourceRequest } from './domain/resource-request.js';
import { Walk } from './domain/plan/walk.js';
import { Grants } from './grants.js';
import { Allocations, type AttemptId } from './persistence/allocations.js';
import { Attempts } from './persistence/attempts.js';
import { Hosts } from './persistence/hosts.js';
import { Queue } from './persistence/queue.js';
import { ResourceTable } from './persistence/resource-table.js';
import { StorageUnits } from './persistence/storage-units.js';
import { walkQueue } from './queue/queue-walk.js';
import { SharedTransaction } from './shared-transaction.js';
import { announceStates } from './state-changes.js';

export type AllocateAnswer =
  | { readonly state: 'granted'; readonly allocation: Allocation }
  | { readonly state: 'queued'; readonly reason: string; readonly wait: WaitReason };

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
      // Who only waited may have had a claim; the next look at the queue will find out.
      if (held) await this.grantWaiting(work, now);
      return held || waited;
    });
  }

  /** Takes an allocation from whoever has it, and says who that was. Status 2023 if nobody has. */
  releaseById(allocationId: string): Promise<AttemptId> {
    return this.change(async (work) => {
      const holder = await new Allocations(work.db).release(allocationId);
      if (holder === undefined) throw new NotFound('allocation', allocationId, 2023);
      return holder;
    });
  }

  /**
   * Grants what can be granted by now, after something has changed. Leases that ran out are
   * released first, what has changed by itself is taken down, and a cluster without any storage unit
   * gets its first one.
   */
  evaluate(): Promise<void> {
    return this.change(async (work, now) => {
      for (const { job, attempt } of await new Allocations(work.db).releaseExpired(now)) {
        this.logger.warn(`job ${job} attempt ${attempt}: the lease ran out and was not renewed`);
      }
      const unit = firstUnit(await this.table(work.db));
      if (unit !== undefined) {
        await new StorageUnits(work.db).put(unit);
        this.logger.log(`made storage unit default on pool ${unit.pool} of ${unit.mediaId}`);
      }
    });
  }

  /** Changes something under the lock, then grants what can be granted by that. */
  change<T>(change: (work: Work, now: Date) => Promise<T>): Promise<T> {
    return this.locked(async (work, now) => {
      const value = await change(work, now);
      await announceStates(work, await this.table(work.db), now);
      await this.grantWaiting(work, now);
      return value;
    });
  }

  /** All that there is to hand out. */
  table(db: EntityManager): Promise<ResourceTable> {
    return ResourceTable.read(db, this.settings);
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
    const { held, waiting } = await new Attempts(db).known(request, this.settings.leaseUntil(now));
    if (held !== undefined) {
      return { state: 'granted', allocation: (await this.table(db)).describe(held) };
    }
    if (waiting === undefined) return undefined;
    const walk = new Walk(await this.table(db), now);
    const alone = walk.obstacleTo(waiting);
    if (alone !== undefined) return { state: 'queued', reason: alone.reason, wait: alone.wait };
    // Nothing but others in the queue: those ahead of it, or one with a claim.
    await walkQueue(walk, new Queue(db), { now });
    if (walk.grants.some((grant) => grant.arrival === waiting.arrival)) return undefined;
    const behind = walk.waits.find((wait) => wait.request.arrival === waiting.arrival);
    const obstacle = behind ?? walk.obstacleTo(waiting);
    return obstacle && { state: 'queued', reason: obstacle.reason, wait: obstacle.wait };
  }

  private allocateAnew(request: ResourceRequest): Promise<AllocateAnswer> {
    return this.locked(async (work, now) => {
      const attempts = new Attempts(work.db);
      const { newest, clientKnown } = await attempts.replaceEarlier(request, request.client);
      if (newest > request.attempt) throw superseded(request, newest);
      if (newest === request.attempt) {
        // It asked twice at once, or waits for what has become free: it is in the tables already.
        await this.grantWaiting(work, now);
        const answer = await this.answerAgain(request, work.db);
        if (answer === undefined) throw new Error(`job ${request.job} neither holds nor waits`);
        return answer;
      }
      const table = await this.table(work.db);
      const wrong = refusal(request, table);
      if (wrong !== undefined) throw wrong;
      // Media servers move images among themselves, also of a client that has gone.
      if (request.purpose === 'write' && !clientKnown) {
        const known = await new Hosts(work.db).someClients(NAMES_SHOWN_MAX);
        throw unknownClient(request.client, known);
      }
      return this.grantOrQueue(request, { table, work, now });
    });
  }

  /** The queue is read only where the request could be granted: then others may have to go first. */
  private async grantOrQueue(
    request: ResourceRequest,
    { table, work, now }: { table: ResourceTable; work: Work; now: Date },
  ): Promise<AllocateAnswer> {
    const walk = new Walk(table, now);
    const queue = new Queue(work.db);
    let obstacle = walk.obstacleTo(request);
    if (obstacle === undefined) {
      const asking = { ...request, arrival: Number.MAX_SAFE_INTEGER, queuedAt: now };
      await walkQueue(walk, queue, { now, asking });
      const mine = await this.grants(work, now).make(walk, table, asking);
      if (mine !== undefined) return { state: 'granted', allocation: mine };
      obstacle = walk.obstacleTo(request);
    }
    if (obstacle === undefined) throw new Error(`nothing is in the way of job ${request.job}`);
    await queue.add(request, now);
    return { state: 'queued', reason: obstacle.reason, wait: obstacle.wait };
  }

  private async grantWaiting(work: Work, now: Date): Promise<void> {
    const table = await this.table(work.db);
    const walk = new Walk(table, now);
    await walkQueue(walk, new Queue(work.db), { now });
    await this.grants(work, now).make(walk, table);
  }

  private grants(work: Work, now: Date): Grants {
    return new Grants(work, now, this.settings.leaseUntil(now));
  }
}
