import { hostState } from './liveness.js';
import type { WaitingRequest } from './resource-request.js';
import type { Resources, ServerResource } from './resources.js';

export interface Wait {
  readonly request: WaitingRequest;
  /** In words for the person who asks why a job waits. */
  readonly reason: string;
}

/** Every request of the queue is in exactly one of the two lists. */
export interface Plan {
  readonly grants: readonly WaitingRequest[];
  readonly waits: readonly Wait[];
}

/**
 * Decides who gets what now. The queue is walked by priority (higher first), then arrival; each gets
 * all that it needs or nothing. A unit's slots are a limit that no plan exceeds. Whoever waits for a
 * unit is overtaken only by a higher priority or by requests for other resources, so within a
 * priority nobody starves.
 *
 * Of the writers, only as many per unit matter as it has free slots: a caller that wants the grants
 * alone may leave out those behind them.
 */
export function plan(queue: readonly WaitingRequest[], resources: Resources, now: Date): Plan {
  const units = [...resources.units.values()];
  const slots = new Map(units.map((unit) => [unit.name, unit.jobsMax - unit.jobsActive]));
  const grants: WaitingRequest[] = [];
  const waits: Wait[] = [];
  for (const request of [...queue].sort(byTurn)) {
    const reason = obstacle(request, { resources, slots, now });
    if (reason !== undefined) {
      waits.push({ request, reason });
      continue;
    }
    grants.push(request);
    if (request.purpose === 'write') slots.set(request.unit, slots.get(request.unit)! - 1);
  }
  return { grants, waits };
}

function byTurn(a: WaitingRequest, b: WaitingRequest): number {
  return b.priority - a.priority || a.arrival - b.arrival;
}

interface Situation {
  readonly resources: Resources;
  /** Free slots per unit at this point of the queue; below zero where a maximum was lowered. */
  readonly slots: ReadonlyMap<string, number>;
  readonly now: Date;
}

/** Why a request can't be granted now; `undefined` when it can. */
function obstacle(request: WaitingRequest, situation: Situation): string | undefined {
  switch (request.purpose) {
    case 'write':
      return unitObstacle(request.unit, situation);
    case 'duplicate':
      return 'duplication is not granted yet';
    case 'read':
      return request.media
        .map((id) => serverObstacle(id, situation.resources.servers.get(id), situation.now))
        .find((reason) => reason !== undefined);
    default:
      return request satisfies never;
  }
}

function unitObstacle(name: string, { resources, slots, now }: Situation): string | undefined {
  const unit = resources.units.get(name);
  if (unit === undefined) return `storage unit ${name} does not exist`;
  const server = resources.servers.get(unit.mediaId);
  const down = serverObstacle(unit.mediaId, server, now);
  if (down !== undefined) return down;
  if (!server?.pools.includes(unit.pool)) {
    return `media server ${unit.mediaId} has no volume of pool ${unit.pool}`;
  }
  if ((slots.get(name) ?? 0) > 0) return undefined;
  const jobs = unit.jobsMax === 1 ? '1 job' : `${unit.jobsMax} jobs`;
  return `storage unit ${name} runs its maximum of ${jobs}`;
}

function serverObstacle(
  mediaId: string,
  server: ServerResource | undefined,
  now: Date,
): string | undefined {
  if (server === undefined) return `media server ${mediaId} has not reported yet`;
  if (hostState(server.lastSeenAt, now) === 'up') return undefined;
  return `media server ${mediaId} is down (last seen ${server.lastSeenAt.toISOString()})`;
}
