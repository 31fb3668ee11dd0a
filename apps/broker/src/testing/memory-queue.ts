import { bytesOf, byTurn, needOf, type WaitingRequest } from '../domain/resource-request.js';
import type { Openings, Targets } from '../domain/plan/targets.js';
import type { QueueTurn } from '#contracts/broker.js';
import type { Queue } from '../persistence/queue.js';

/** The queue in memory, told in plain words: what the SQL has to find. */
export class MemoryQueue implements Pick<Queue, 'window' | 'claimants'> {
  /** How many requests were handed over. */
  seen = 0;

  constructor(
    private readonly queue: readonly WaitingRequest[],
    private readonly windowRows: number,
  ) {}

  async window(open: Openings, after: QueueTurn | undefined) {
    const requests = [...this.queue]
      .sort(byTurn)
      .filter((request) => after === undefined || byTurn(after, request) < 0)
      .filter((request) => fits(request, open))
      .slice(0, this.windowRows);
    this.seen += requests.length;
    return { requests, isLast: requests.length < this.windowRows };
  }

  async claimants(sound: Targets, before: Date): Promise<WaitingRequest[]> {
    const levels = new Map<number, WaitingRequest>();
    for (const request of [...this.queue].sort(byTurn)) {
      if (levels.has(request.priority) || request.purpose === 'read') continue;
      if (hasTarget(request, sound)) levels.set(request.priority, request);
    }
    return [...levels.values()].filter(({ queuedAt }) => queuedAt <= before);
  }
}

function fits(request: WaitingRequest, open: Openings): boolean {
  if (!hasTarget(request, open)) return false;
  if (request.purpose !== 'write') return true;
  if (open.clientsAtLimit.includes(request.client)) return false;
  if (needOf(request).streams < (open.streams.get(request.unit) ?? 1)) return false;
  const { policy, policyJobsMax } = request;
  if (policy === undefined || policyJobsMax === undefined) return true;
  return (open.policyJobs.get(policy) ?? 0) < policyJobsMax;
}

function hasTarget(request: WaitingRequest, targets: Targets): boolean {
  const isUp = (mediaId: string) => targets.serversUp.includes(mediaId);
  const isRoomy = (room: number | undefined) =>
    room !== undefined && (bytesOf(request) === 0 || bytesOf(request) <= room);
  switch (request.purpose) {
    case 'write':
      return isRoomy(targets.units.get(request.unit));
    case 'duplicate':
      return isRoomy(targets.pools.get(request.pool)) && request.sources.some(isUp);
    case 'read':
      return (request.anyOf ?? request.media.map((one) => [one])).every((set) => set.some(isUp));
    default:
      return request satisfies never;
  }
}
