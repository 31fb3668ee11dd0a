import { hostState } from './liveness.js';
import type { WaitingRequest } from './resource-request.js';
import type { Resources, UnitResource } from './resources.js';

export interface Wait {
  readonly request: WaitingRequest;
  /** In words for the person who asks why a job waits. */
  readonly reason: string;
}

/** What a request gets. */
export interface Place {
  /** Whose slot it takes; null for reads. */
  readonly unit: string | null;
  /** The one that writes first, then those that are read from. */
  readonly media: readonly string[];
}

export type Grant = WaitingRequest & { readonly place: Place };

/** Every request of the queue is in exactly one of the two lists. */
export interface Plan {
  readonly grants: readonly Grant[];
  readonly waits: readonly Wait[];
}

/**
 * Decides who gets what now. The queue is walked by priority (higher first), then arrival; each gets
 * all that it needs or nothing. A unit's slots are a limit that no plan exceeds. Whoever waits for a
 * unit is overtaken only by a higher priority or by requests for other resources, so within a
 * priority nobody starves.
 *
 * Of the writers, only as many per unit matter as it has free slots; and of the duplications with a
 * source that is up, only as many per pool as its units have together. A caller that wants the
 * grants alone may leave out those behind them.
 */
export function plan(queue: readonly WaitingRequest[], resources: Resources, now: Date): Plan {
  const units = [...resources.units.values()];
  const slots = new Map(units.map((unit) => [unit.name, unit.jobsMax - unit.jobsActive]));
  const grants: Grant[] = [];
  const waits: Wait[] = [];
  for (const request of [...queue].sort(byTurn)) {
    const place = placeFor(request, { resources, slots, now });
    if (typeof place === 'string') {
      waits.push({ request, reason: place });
      continue;
    }
    grants.push({ ...request, place });
    if (place.unit !== null) slots.set(place.unit, slots.get(place.unit)! - 1);
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

/** What a request can have now or, in words, why it can have nothing. */
function placeFor(request: WaitingRequest, situation: Situation): Place | string {
  switch (request.purpose) {
    case 'write': {
      const { resources } = situation;
      return (
        unitObstacle(request.unit, situation) ?? {
          ...{ unit: request.unit, media: [resources.units.get(request.unit)!.mediaId] },
        }
      );
    }
    case 'duplicate':
      return placeOfCopy(request, situation);
    case 'read': {
      return placeOfRead(request, situation);
    }
    default:
      return request satisfies never;
  }
}

type ReadRequest = Extract<WaitingRequest, { purpose: 'read' }>;

/** All servers that are up, if they hold something of every set; without sets, all servers. */
function placeOfRead(request: ReadRequest, situation: Situation): Place | string {
  const media = [...new Set(request.media)];
  const sets = request.anyOf ?? media.map((mediaId) => [mediaId]);
  for (const set of sets) {
    const reasons = set.map((mediaId) => serverObstacle(mediaId, situation));
    if (reasons.every((reason) => reason !== undefined)) return reasons.join('; ');
  }
  const up = media.filter((mediaId) => serverObstacle(mediaId, situation) === undefined);
  return { unit: null, media: up };
}

type DuplicateRequest = Extract<WaitingRequest, { purpose: 'duplicate' }>;

/** A server that has the source itself comes first: then no byte has to leave its host. */
function placeOfCopy(request: DuplicateRequest, situation: Situation): Place | string {
  const { resources, slots } = situation;
  const sources = [...new Set(request.sources)];
  const up = sources.filter((mediaId) => serverObstacle(mediaId, situation) === undefined);
  if (up.length === 0) {
    const why = sources.map((mediaId) => serverObstacle(mediaId, situation)).join('; ');
    return `no media server that has the image is up: ${why}`;
  }
  const units = [...resources.units.values()].filter(({ pool }) => pool === request.pool);
  if (units.length === 0) return `pool ${request.pool} has no storage unit`;
  const nearness = ({ mediaId }: UnitResource) => (up.includes(mediaId) ? 0 : 1);
  const [unit] = units
    .filter(({ name }) => unitObstacle(name, situation) === undefined)
    .sort(
      (a, b) =>
        nearness(a) - nearness(b) ||
        slots.get(b.name)! - slots.get(a.name)! ||
        (a.name < b.name ? -1 : 1),
    );
  if (unit === undefined) {
    return units.map(({ name }) => unitObstacle(name, situation)).join('; ');
  }
  const { name, mediaId } = unit;
  return { unit: name, media: [mediaId, ...up.filter((source) => source !== mediaId)] };
}

function unitObstacle(name: string, situation: Situation): string | undefined {
  const { resources, slots } = situation;
  const unit = resources.units.get(name);
  if (unit === undefined) return `storage unit ${name} does not exist`;
  const down = serverObstacle(unit.mediaId, situation);
  if (down !== undefined) return down;
  if (!resources.servers.get(unit.mediaId)?.pools.includes(unit.pool)) {
    return `media server ${unit.mediaId} has no volume of pool ${unit.pool}`;
  }
  if ((slots.get(name) ?? 0) > 0) return undefined;
  const jobs = unit.jobsMax === 1 ? '1 job' : `${unit.jobsMax} jobs`;
  return `storage unit ${name} runs its maximum of ${jobs}`;
}

function serverObstacle(mediaId: string, { resources, now }: Situation): string | undefined {
  const server = resources.servers.get(mediaId);
  if (server === undefined) return `media server ${mediaId} has not reported yet`;
  if (hostState(server.lastSeenAt, now) === 'up') return undefined;
  return `media server ${mediaId} is down (last seen ${server.lastSeenAt.toISOString()})`;
}
