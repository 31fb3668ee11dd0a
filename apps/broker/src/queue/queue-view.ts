import type { EntityManager } from 'typeorm';
import type { QueueEntry, QueueTurn } from '#contracts/broker.js';
import type { WaitReason } from '#contracts/broker/wait-reason.js';
import { PAGE_ROWS_MAX } from '#contracts/names.js';
import { upTo } from '#service/page-bytes.js';
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

/** Bytes of a page: an answer is one message, of 1 MB at most, and may hold another list of this size. */
export const LIST_BYTES_MAX = 400 * 1024;

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

  /**
   * Up to `limit` entries behind `after`, or as many as fit into an answer. With a reason, pages are
   * read until there are so many.
   */
  async page(
    filter: QueueFilter & { reason?: WaitReason | undefined },
    after: QueueTurn | undefined,
    limit: number,
  ): Promise<QueuePage> {
    const { found, isLast } = await this.find(filter, after, limit);
    const entries = upTo(
      LIST_BYTES_MAX,
      found.map((placed) => this.entry(placed)),
    );
    if (isLast && entries.length === found.length) return { entries, next: null };
    const { priority, arrival } = found[entries.length - 1]!.request;
    return { entries, next: { priority, arrival } };
  }

  private async find(
    { reason, ...filter }: QueueFilter & { reason?: WaitReason | undefined },
    after: QueueTurn | undefined,
    limit: number,
  ): Promise<{ found: PlacedRequest[]; isLast: boolean }> {
    const pages = new QueuePages(this.db);
    const rows = reason === undefined ? limit : PAGE_ROWS_MAX;
    const found: PlacedRequest[] = [];
    for (let from = after; ;) {
      const page = await pages.page(filter, from, rows);
      for (const placed of page) {
        if (reason !== undefined && this.obstacleTo(placed.request).wait !== reason) continue;
        found.push(placed);
        if (found.length === limit) return { found, isLast: false };
      }
      from = page.at(-1)?.request;
      if (page.length < rows) return { found, isLast: true };
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
