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

/** Slots left and requests passed over, per storage unit, while the queue is walked. */
interface Tally {
  readonly free: Map<string, number>;
  readonly ahead: Map<string, number>;
}

/**
 * Decides who gets what now. The queue is walked by priority (higher first), then arrival; each gets
 * all that it needs or nothing. A unit's slots are a limit that no plan exceeds. Whoever waits for a
 * unit is overtaken only by a higher priority or by requests for other resources, so within a
 * priority nobody starves.
 */
export function plan(queue: readonly WaitingRequest[], resources: Resources, now: Date): Plan {
  const tally: Tally = {
    free: new Map([...resources.units.values()].map((u) => [u.name, u.jobsMax - u.jobsActive])),
    ahead: new Map(),
  };
  const grants: WaitingRequest[] = [];
  const waits: Wait[] = [];
  for (const request of [...queue].sort(byTurn)) {
    const reason = obstacle(request, { resources, tally, now });
    if (reason === undefined) grants.push(request);
    else waits.push({ request, reason });
    count(request, reason === undefined, tally);
  }
  return { grants, waits };
}

function byTurn(a: WaitingRequest, b: WaitingRequest): number {
  return b.priority - a.priority || a.arrival - b.arrival;
}

interface Situation {
  readonly resources: Resources;
  readonly tally: Tally;
  readonly now: Date;
}

/** Why a request can't be granted now; `undefined` when it can. */
function obstacle(request: WaitingRequest, situation: Situation): string | undefined {
  switch (request.purpose) {
    case 'write':
      return unitObstacle(request.unit, situation);
    case 'read':
      return request.media
        .map((id) => serverObstacle(id, situation.resources.servers.get(id), situation.now))
        .find((reason) => reason !== undefined);
    default:
      return request satisfies never;
  }
}

function unitObstacle(name: string, { resources, tally, now }: Situation): string | undefined {
  const unit = resources.units.get(name);
  if (unit === undefined) return `storage unit ${name} does not exist`;
  const server = resources.servers.get(unit.mediaId);
  const down = serverObstacle(unit.mediaId, server, now);
  if (down !== undefined) return down;
  if (!server?.pools.includes(unit.pool)) {
    return `media server ${unit.mediaId} has no volume of pool ${unit.pool}`;
  }
  if ((tally.free.get(name) ?? 0) > 0) return undefined;
  const ahead = tally.ahead.get(name) ?? 0;
  const maximum = `storage unit ${name} runs its maximum of ${jobs(unit.jobsMax)}`;
  return ahead === 0 ? maximum : `${maximum}; ${jobs(ahead)} before this one in the queue`;
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

function count(request: WaitingRequest, granted: boolean, { free, ahead }: Tally): void {
  if (request.purpose !== 'write') return;
  const { unit } = request;
  if (granted) free.set(unit, (free.get(unit) ?? 0) - 1);
  else ahead.set(unit, (ahead.get(unit) ?? 0) + 1);
}

function jobs(number: number): string {
  return number === 1 ? '1 job' : `${number} jobs`;
}
