import type { Ledger } from './ledger.js';
import { namesToTry } from './group-choice.js';
import { limitObstacle, unitOutOfOrder } from './obstacle.js';
import { unitsOfPool } from './place.js';
import { bytesOf, byTurn, type ResourceRequest, type WaitingRequest } from '../resource-request.js';
import type { UnitResource } from '../resources.js';
import { soundTargets, type Targets } from './targets.js';

/** After so long the one that has waited longest, of each priority, has a claim. */
export const CLAIM_AFTER_MS = 5 * 60_000;

/** Whoever came before this has waited long enough for a claim. */
export function claimsBefore(now: Date): Date {
  return new Date(now.getTime() - CLAIM_AFTER_MS);
}

/**
 * Of each priority the request that came first, of those that wait for nothing but what running jobs
 * will give back, if it has waited long enough.
 *
 * A request that needs several things at once could wait for ever, though each of them is free now
 * and then: others that need only one of them are always quicker. A claim ends that.
 */
export function claimants(
  queue: readonly WaitingRequest[],
  ledger: Ledger,
  now: Date,
): Set<number> {
  const targets = soundTargets(ledger, now);
  const levels = new Set<number>();
  const claims = new Set<number>();
  for (const request of [...queue].sort(byTurn)) {
    if (levels.has(request.priority) || !leadsTo(request, targets)) continue;
    levels.add(request.priority);
    if (request.queuedAt <= claimsBefore(now)) claims.add(request.arrival);
  }
  return claims;
}

/**
 * Keeps for a request that can't be granted yet what its client's and its policy's limits leave, and
 * once they leave enough, the room that it needs, and the place on a drive. Whoever comes behind it,
 * with the same priority or a lower one, does not get that: others that allow more streams on a drive
 * would always be quicker to join those that run there. Slots need no claim: when one is given back, the
 * first in the queue is asked first.
 */
export function claim(request: ResourceRequest, ledger: Ledger, now: Date): void {
  const limited = limitObstacle(request, { ledger, now, scope: 'claimed' }) !== undefined;
  const unit = limited ? undefined : unitToEmpty(request, ledger, now);
  ledger.claim(request, unit);
}

/** The same one each time, or the claim would wander. */
function unitToEmpty(
  request: ResourceRequest,
  ledger: Ledger,
  now: Date,
): UnitResource | undefined {
  return unitsFor(request, ledger, now).find(
    (unit) =>
      unitOutOfOrder(unit.name, ledger.resources, now) === undefined &&
      !unit.full &&
      bytesOf(request) <= ledger.roomAtBest(unit),
  );
}

function unitsFor(request: ResourceRequest, { resources }: Ledger, now: Date): UnitResource[] {
  switch (request.purpose) {
    case 'write':
      return namesToTry(request.unit, resources, now).flatMap(
        (name) => resources.units.get(name) ?? [],
      );
    case 'duplicate':
      return unitsOfPool(request.pool, resources.units.values());
    case 'read':
      return [];
    default:
      return request satisfies never;
  }
}

function leadsTo(request: ResourceRequest, targets: Targets): boolean {
  switch (request.purpose) {
    case 'write':
      return (
        fits(request, targets.units.get(request.unit)) &&
        (request.anyOf ?? []).every((set) => set.some((id) => targets.serversUp.includes(id)))
      );
    case 'duplicate':
      return (
        fits(request, targets.pools.get(request.pool)) &&
        request.sources.some((mediaId) => targets.serversUp.includes(mediaId))
      );
    case 'read':
      return false;
    default:
      return request satisfies never;
  }
}

function fits(request: ResourceRequest, room: number | undefined): boolean {
  return room !== undefined && (bytesOf(request) === 0 || bytesOf(request) <= room);
}
