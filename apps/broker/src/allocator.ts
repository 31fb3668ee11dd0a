import { Injectable, Logger } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import { Batches } from '#kernel/batches.js';
import { Clock } from '#kernel/clock.js';
import { NotFound } from '#kernel/errors.js';
import { STATUS } from '#kernel/status.js';
import { UnitOfWork, type Work } from '#outbox/unit-of-work.js';
import { BrokerConfig } from './config.js';
import { firstUnit } from './domain/first-unit.js';
import { superseded } from './domain/refusal.js';
import type { ResourceRequest } from './domain/resource-request.js';
import { Walk } from './domain/plan/walk.js';
import { Grants } from './grants.js';
import { answerNew, grantedBy, queuedBy, refusalOf, type AllocateAnswer } from './new-requests.js';
import { Allocations, type AttemptId } from './persistence/allocations.js';
import { Attempts } from './persistence/attempts.js';
import { Queue } from './persistence/queue.js';
import { ResourceTable } from './persistence/resource-table.js';
import { StorageUnits } from './persistence/storage-units.js';
import { walkQueue } from './queue/queue-walk.js';
import { SharedTransaction } from './shared-transaction.js';
import { announceStates } from './state-changes.js';

/** Requests that one transaction answers at most, so that other changes get their turn. */
const REQUESTS_MAX = 256;

/**
 * Hands resources out. Each change happens in a transaction under one lock that all replicas share:
 * it reads what there is, plans, grants, and announces in its outbox. So no two of them can hand out
 * the same slot, and a crash leaves either all of a change or nothing.
 */
@Injectable()
export class Allocator {
  private readonly logger = new Logger('allocator');
  private readonly transaction: SharedTransaction;
  private readonly batches: Batches<ResourceRequest, AllocateAnswer>;

  constructor(
    private readonly database: DataSource,
    unitOfWork: UnitOfWork,
    private readonly clock: Clock,
    private readonly config: BrokerConfig,
  ) {
    this.transaction = new SharedTransaction(unitOfWork, 'holdfast broker');
    this.batches = new Batches({
      ...{ batchMax: REQUESTS_MAX, parallelMax: 1, keyOf: ({ job }) => String(job) },
      run: async (requests) => (await this.answerBatch(requests)).map(thrown),
    });
  }

  /**
   * Grants all that an attempt needs, or queues it. Asking again gives the same answer and renews
   * the lease. Throws `PermanentError` for what can never be granted.
   */
  async allocate(request: ResourceRequest): Promise<AllocateAnswer> {
    const { manager } = this.database;
    return (await this.answerAgain(request, manager)) ?? (await this.batches.add(request));
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
      if (holder === undefined) {
        throw new NotFound('allocation', allocationId, STATUS.noSuchAllocation);
      }
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
    return ResourceTable.read(db, this.config);
  }

  private locked<T>(change: (work: Work, now: Date) => Promise<T>): Promise<T> {
    return this.transaction.run((work) => change(work, this.clock.now()));
  }

  /**
   * Whoever asks again every few seconds gets an answer without the lock that others need. It is
   * `undefined` for who is new, and for who is about to be granted something or just was.
   */
  private async answerAgain(
    request: ResourceRequest,
    db: EntityManager,
  ): Promise<AllocateAnswer | undefined> {
    const now = this.clock.now();
    const { held, waiting } = await new Attempts(db).known(request, this.config.leaseUntil(now));
    if (held !== undefined) return grantedBy(held, await this.table(db));
    if (waiting === undefined) return undefined;
    const table = await this.table(db);
    const walk = new Walk(table, now);
    const alone = walk.obstacleTo(waiting);
    if (alone !== undefined) return queuedBy(alone, waiting);
    // Nothing but others in the queue: those ahead of it, or one with a claim.
    await walkQueue(walk, new Queue(db, table.waiting), { now });
    if (walk.grants.some((grant) => grant.arrival === waiting.arrival)) return undefined;
    // Without the lock it may have left the queue meanwhile; then there may be nothing in its way.
    const behind = walk.waitOf(waiting);
    return behind && queuedBy(behind, waiting);
  }

  /** All of a batch in one transaction; each gets its answer, or its error. */
  private answerBatch(
    requests: readonly ResourceRequest[],
  ): Promise<readonly (AllocateAnswer | Error)[]> {
    return this.locked(async (work, now) => {
      const earlier = await new Attempts(work.db).replaceEarlier(requests);
      const table = await this.table(work.db);
      const answers = new Map<ResourceRequest, AllocateAnswer | Error>();
      const fresh: ResourceRequest[] = [];
      for (const [index, request] of requests.entries()) {
        const { newest, clientKnown } = earlier[index]!;
        if (newest > request.attempt) answers.set(request, superseded(request, newest));
        if (newest >= request.attempt) continue;
        const wrong = await refusalOf(request, clientKnown, { table, work });
        if (wrong === undefined) fresh.push(request);
        else answers.set(request, wrong);
      }
      const situation = { table, work, now, grants: this.grants(work, now) };
      const given = await answerNew(fresh, situation);
      for (const [index, request] of fresh.entries()) answers.set(request, given[index]!);
      const known = requests.filter((request) => !answers.has(request));
      // They asked twice at once, or wait for what has become free: they are in the tables already.
      // And what an earlier attempt has given back may be for somebody else.
      const hasFreed = earlier.some(({ freed }) => freed);
      if (known.length > 0 || hasFreed) {
        const evaluated = await this.grantWaiting(work, now);
        for (const request of known) {
          answers.set(request, await this.knownAnswer(request, { ...evaluated, work, now }));
        }
      }
      return requests.map((request) => answers.get(request)!);
    });
  }

  /** By the walk that was made, not by another: heartbeats come in between, as they need no lock. */
  private async knownAnswer(
    request: ResourceRequest,
    { walk, table, work, now }: { walk: Walk; table: ResourceTable; work: Work; now: Date },
  ): Promise<AllocateAnswer> {
    const leaseUntil = this.config.leaseUntil(now);
    const { held, waiting } = await new Attempts(work.db).known(request, leaseUntil);
    if (held !== undefined) return grantedBy(held, table);
    if (waiting === undefined) throw new Error(`job ${request.job} neither holds nor waits`);
    return queuedBy(walk.waitOf(waiting), waiting);
  }

  private async grantWaiting(work: Work, now: Date): Promise<{ walk: Walk; table: ResourceTable }> {
    const table = await this.table(work.db);
    const walk = new Walk(table, now);
    await walkQueue(walk, new Queue(work.db, table.waiting), { now });
    await this.grants(work, now).make(walk, table);
    return { walk, table };
  }

  private grants(work: Work, now: Date): Grants {
    return new Grants(work, now, this.config.leaseUntil(now));
  }
}

/** A refusal is thrown at the one who asked. */
function thrown(answer: AllocateAnswer | Error): () => AllocateAnswer {
  return () => {
    if (answer instanceof Error) throw answer;
    return answer;
  };
}
