import type { EntityManager } from 'typeorm';
import type { QueueEntry, QueueTurn, WaitReason } from '#contracts/broker.js';
import { PAGE_ROWS_MAX } from '#contracts/names.js';
import type { Obstacle } from '../domain/plan/obstacle.js';
import { Walk } from '../domain/plan/walk.js';
import { Queue } from '../persistence/queue.js';
import { QueuePages, type PlacedRequest, type QueueFilter } from '../persistence/queue-pages.js';
import type { ResourceTable } from '../persistence/resource-table.js';
import { walkQueue } from './queue-walk.js';

export interface QueuePage {
  readonly entries: QueueEntry[];
  readonly next: QueueTurn | null;
}

const ABOUT_TO_BE_GRANTED = { wait: 'turn', reason: 'about to be granted' } as const;

/**
 * The queue for people to look at. The reasons are worked out now, by the walk that grants. What was in
 * the way of a request at its turn still is once all have got that could get something; what is
 * named may be another thing that has come into its way since, such as a unit that is busy by then.
 */
export class QueueView {
  private constructor(
    private readonly db: EntityManager,
    private readonly walk: Walk,
  ) {}

  static async read(db: EntityManager, table: ResourceTable, now: Date): Promise<QueueView> {
    const walk = new Walk(table, now);
    await walkQueue(walk, new Queue(db), { now });
    return new QueueView(db, walk);
  }

  /** Up to `limit` entries behind `after`; with a reason, pages are read until there are so many. */
  async page(
    filter: QueueFilter & { reason?: WaitReason | undefined },
    after: QueueTurn | undefined,
    limit: number,
  ): Promise<QueuePage> {
    const pages = new QueuePages(this.db);
    const rows = filter.reason === undefined ? limit : PAGE_ROWS_MAX;
    const entries: QueueEntry[] = [];
    for (let from = after; ;) {
      const page = await pages.page(filter, from, rows);
      for (const placed of page) {
        const entry = this.entry(placed);
        if (filter.reason !== undefined && entry.wait !== filter.reason) continue;
        entries.push(entry);
        const { priority, arrival } = placed.request;
        if (entries.length === limit) return { entries, next: { priority, arrival } };
      }
      from = page.at(-1)?.request;
      if (page.length < rows) return { entries, next: null };
    }
  }

  private entry({ request, position }: PlacedRequest): QueueEntry {
    const { wait, reason } = this.obstacleTo(request);
    const isRead = request.purpose === 'read';
    return {
      ...{ job: request.job, attempt: request.attempt, wait, reason },
      ...{ purpose: request.purpose, client: request.client },
      unit: request.purpose === 'write' ? request.unit : null,
      pool: request.purpose === 'duplicate' ? request.pool : null,
      policy: isRead ? null : (request.policy ?? null),
      ...{ priority: request.priority, position, since: request.queuedAt.toISOString() },
    };
  }

  private obstacleTo(request: PlacedRequest['request']): Pick<Obstacle, 'wait' | 'reason'> {
    const isGranted = this.walk.grants.some(({ arrival }) => arrival === request.arrival);
    return (isGranted ? undefined : this.walk.waitOf(request)) ?? ABOUT_TO_BE_GRANTED;
  }
}
