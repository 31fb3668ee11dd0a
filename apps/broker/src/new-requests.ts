import type { Allocation } from '#contracts/broker.js';
import type { WaitReason } from '#contracts/broker/wait-reason.js';
import { PermanentError } from '#kernel/errors.js';
import type { Work } from '#outbox/unit-of-work.js';
import type { Obstacle } from './domain/plan/obstacle.js';
import { Walk } from './domain/plan/walk.js';
import { NAMES_SHOWN_MAX, refusal, unknownClient } from './domain/refusal.js';
import type { ResourceRequest, WaitingRequest } from './domain/resource-request.js';
import type { Grants } from './grants.js';
import type { AllocationEntity } from './persistence/entities/allocation.entity.js';
import { Hosts } from './persistence/hosts.js';
import { Queue } from './persistence/queue.js';
import type { ResourceTable } from './persistence/resource-table.js';
import { walkQueue } from './queue/queue-walk.js';

export type AllocateAnswer =
  | { readonly state: 'granted'; readonly allocation: Allocation }
  | { readonly state: 'queued'; readonly reason: string; readonly wait: WaitReason };

/** What one transaction does for requests that nobody has seen before. */
export interface Situation {
  readonly table: ResourceTable;
  readonly work: Work;
  readonly now: Date;
  readonly grants: Grants;
}

/**
 * Grants or queues new requests, in the order in which they came, and returns their answers in that
 * order. The queue is read only where one of them could be granted: then others may have to go first.
 */
export async function answerNew(
  requests: readonly ResourceRequest[],
  { table, work, now, grants }: Situation,
): Promise<AllocateAnswer[]> {
  const walk = new Walk(table, now);
  const queue = new Queue(work.db, table.waiting);
  const last = Number.MAX_SAFE_INTEGER;
  const all = requests.map((request, index): WaitingRequest => {
    return { ...request, arrival: last - requests.length + index, queuedAt: now };
  });
  const asking = all.filter((request) => walk.obstacleTo(request) === undefined);
  let granted: ReadonlyMap<number, Allocation> = new Map();
  if (asking.length > 0) {
    await walkQueue(walk, queue, { now, asking });
    granted = await grants.make(walk, table, asking);
  }
  const left = all.filter(({ arrival }) => !granted.has(arrival));
  await queue.add(left, now);
  return all.map((request) => {
    const allocation = granted.get(request.arrival);
    if (allocation !== undefined) return { state: 'granted', allocation };
    return queuedBy(walk.obstacleTo(request), request);
  });
}

/** For a request that holds what it asks for. */
export function grantedBy(held: AllocationEntity, table: ResourceTable): AllocateAnswer {
  return { state: 'granted', allocation: table.describe(held) };
}

/** For a request that goes on waiting. */
export function queuedBy(
  obstacle: Pick<Obstacle, 'wait' | 'reason'> | undefined,
  { job }: ResourceRequest,
): AllocateAnswer {
  if (obstacle === undefined) throw new Error(`nothing is in the way of job ${job}`);
  return { state: 'queued', reason: obstacle.reason, wait: obstacle.wait };
}

/** The error for a request that can never be granted. */
export async function refusalOf(
  request: ResourceRequest,
  clientKnown: boolean,
  { table, work }: Pick<Situation, 'table' | 'work'>,
): Promise<PermanentError | undefined> {
  const wrong = refusal(request, table);
  // Media servers move images among themselves, also of a client that has gone.
  if (wrong !== undefined || request.purpose !== 'write' || clientKnown) return wrong;
  return unknownClient(request.client, await new Hosts(work.db).someClients(NAMES_SHOWN_MAX));
}
