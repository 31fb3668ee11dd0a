import { claimants } from './claims.js';
import { Ledger } from './ledger.js';
import { byTurn, type WaitingRequest } from '../resource-request.js';
import type { Resources } from '../resources.js';
import { Walk, type Grant, type Wait } from './walk.js';

/** Every request of the queue is in exactly one of the two lists. */
export interface Plan {
  readonly grants: readonly Grant[];
  readonly waits: readonly Wait[];
  /** See `Walk.chosen`. */
  chosen(): ReadonlyMap<string, number>;
}

/**
 * Decides who gets what now. The queue is walked by priority (higher first), then arrival; each gets
 * all that it needs or nothing. No plan exceeds a limit: the slots of a unit, the drives of a pool, the
 * room below a high water mark, the backups of a client and of a policy. Whoever waits is overtaken
 * only by a higher priority or by requests that it is not in the way of; and not for ever even so,
 * see `claimants`.
 *
 * This sees the whole queue. A `Walk` decides the same, and says what of the queue it has to see.
 */
export function plan(queue: readonly WaitingRequest[], resources: Resources, now: Date): Plan {
  const walk = new Walk(resources, now);
  walk.consider([...queue].sort(byTurn), claimants(queue, new Ledger(resources), now));
  return walk;
}
