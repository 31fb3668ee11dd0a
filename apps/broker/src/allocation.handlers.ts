import { Controller } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { brokerAllocate, brokerAllocations, brokerRelease } from '#contracts/broker.js';
import type { RequestOf, ResponseOf } from '#contracts/contract.js';
import { PAGE_ROWS_MAX } from '#contracts/names.js';
import { Clock } from '#kernel/clock.js';
import { Answers } from '#messaging/answers.js';
import { Allocator } from './allocator.js';
import { plan } from './domain/plan.js';
import { Allocations } from './persistence/allocations.js';
import { Queue } from './persistence/queue.js';
import { ResourceTable } from './persistence/resource-table.js';

@Controller()
export class AllocationHandlers {
  constructor(
    private readonly database: DataSource,
    private readonly allocator: Allocator,
    private readonly clock: Clock,
  ) {}

  @Answers(brokerAllocate)
  allocate(request: RequestOf<typeof brokerAllocate>): Promise<ResponseOf<typeof brokerAllocate>> {
    return this.allocator.allocate(request);
  }

  @Answers(brokerRelease)
  async release(
    request: RequestOf<typeof brokerRelease>,
  ): Promise<ResponseOf<typeof brokerRelease>> {
    return { released: await this.allocator.release(request) };
  }

  /** The reasons are worked out now, by the plan that grants. */
  @Answers(brokerAllocations)
  async allocations(
    _request: RequestOf<typeof brokerAllocations>,
  ): Promise<ResponseOf<typeof brokerAllocations>> {
    return this.database.transaction('REPEATABLE READ', async (db) => {
      const table = await ResourceTable.read(db);
      const held = await new Allocations(db).first(PAGE_ROWS_MAX);
      const { requests, total } = await new Queue(db).first(PAGE_ROWS_MAX);
      const { waits } = plan(requests, table, this.clock.now());
      const reasons = new Map(waits.map(({ request, reason }) => [request.arrival, reason]));
      return {
        allocations: held.map((row) => table.describe(row)),
        queue: requests.map(({ job, attempt, arrival }) => ({
          job,
          attempt,
          reason: reasons.get(arrival) ?? 'about to be granted',
        })),
        queued: total,
      };
    });
  }
}
