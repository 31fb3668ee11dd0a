import { Controller } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import {
  brokerAllocate,
  brokerAllocations,
  brokerPriority,
  brokerQueue,
  brokerRelease,
  type QueueEntry,
} from '#contracts/broker.js';
import type { RequestOf, ResponseOf } from '#contracts/contract.js';
import { PAGE_ROWS_MAX } from '#contracts/names.js';
import { Clock } from '#kernel/clock.js';
import { Answers } from '#messaging/answers.js';
import { upTo } from '#service/page-bytes.js';
import { Allocator } from './allocator.js';
import { ConfigurationChanges } from './configuration-changes.js';
import { releaseNote } from './domain/release-note.js';
import { Allocations } from './persistence/allocations.js';
import { QueuePages } from './persistence/queue-pages.js';
import type { ResourceTable } from './persistence/resource-table.js';
import { LIST_BYTES_MAX, QueueView } from './queue/queue-view.js';

@Controller()
export class AllocationHandlers {
  constructor(
    private readonly database: DataSource,
    private readonly allocator: Allocator,
    private readonly changes: ConfigurationChanges,
    private readonly clock: Clock,
  ) {}

  @Answers(brokerAllocate)
  allocate(request: RequestOf<typeof brokerAllocate>): Promise<ResponseOf<typeof brokerAllocate>> {
    return this.allocator.allocate(request);
  }

  @Answers(brokerRelease)
  async release({
    job,
    attempt,
    allocationId,
  }: RequestOf<typeof brokerRelease>): Promise<ResponseOf<typeof brokerRelease>> {
    if (allocationId === undefined) {
      return { released: await this.allocator.release({ job: job!, attempt: attempt! }) };
    }
    const holder = await this.allocator.releaseById(allocationId);
    return { released: true, note: releaseNote(holder) };
  }

  @Answers(brokerPriority)
  async priority({
    job,
    priority,
  }: RequestOf<typeof brokerPriority>): Promise<ResponseOf<typeof brokerPriority>> {
    return { job, priority, waiting: await this.changes.setPriority(job, priority) };
  }

  @Answers(brokerAllocations)
  async allocations(
    filter: RequestOf<typeof brokerAllocations>,
  ): Promise<ResponseOf<typeof brokerAllocations>> {
    return this.database.transaction('REPEATABLE READ', async (db) => {
      const table = await this.allocator.table(db);
      const held = await new Allocations(db).first(filter, PAGE_ROWS_MAX + 1);
      const shown = held.slice(0, PAGE_ROWS_MAX).map((row) => table.describe(row));
      const allocations = upTo(LIST_BYTES_MAX, shown);
      const isFiltered = Object.values(filter).some((value) => value !== undefined);
      const entries = isFiltered ? [] : await this.firstInQueue(db, table);
      return {
        allocations,
        isCut: allocations.length < held.length,
        queue: entries.map(({ job, attempt, reason, wait }) => ({ job, attempt, reason, wait })),
        queued: await new QueuePages(db).count(),
      };
    });
  }

  private async firstInQueue(db: EntityManager, table: ResourceTable): Promise<QueueEntry[]> {
    const view = await QueueView.read(db, table, this.clock.now());
    return (await view.page({}, undefined, PAGE_ROWS_MAX)).entries;
  }

  @Answers(brokerQueue)
  async queue({
    after,
    limit,
    ...filter
  }: RequestOf<typeof brokerQueue>): Promise<ResponseOf<typeof brokerQueue>> {
    return this.database.transaction('REPEATABLE READ', async (db) => {
      const table = await this.allocator.table(db);
      const view = await QueueView.read(db, table, this.clock.now());
      const page = await view.page(filter, after, limit);
      return { ...page, queued: await new QueuePages(db).count() };
    });
  }
}
