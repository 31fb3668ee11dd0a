import { claim } from './claims.js';
import { Ledger } from './ledger.js';
import { Obstacle } from './obstacle.js';
import { placeFor, type Place } from './place.js';
import type { ResourceRequest, WaitingRequest } from '../resource-request.js';
import type { Resources } from '../resources.js';
import { openings, soundTargets, type Openings, type Targets } from './targets.js';

export interface Wait extends Pick<Obstacle, 'wait' | 'reason'> {
  readonly request: WaitingRequest;
}

export type Grant = WaitingRequest & { readonly place: Place };

/**
 * A walk through the queue, in the order of turns, that decides for one request after the other. What
 * is left only becomes less on the way; so a request that the openings exclude gets nothing, and
 * a caller may leave it out.
 */
export class Walk {
  readonly grants: Grant[] = [];
  readonly waits: Wait[] = [];
  private readonly ledger: Ledger;

  constructor(
    resources: Resources,
    private readonly now: Date,
  ) {
    this.ledger = new Ledger(resources);
  }

  /** What can be had by requests behind those that were considered. */
  openings(): Openings {
    return openings(this.ledger, this.now);
  }

  /** See `claimants`. */
  soundTargets(): Targets {
    return soundTargets(this.ledger, this.now);
  }

  /** The next ones in the order of their turns; `claims` are the arrivals that have one. */
  consider(requests: readonly WaitingRequest[], claims: ReadonlySet<number>): void {
    const { ledger, now } = this;
    for (const request of requests) {
      const place = placeFor(request, { ledger, now });
      if (place instanceof Obstacle) {
        const { wait, reason } = place;
        this.waits.push({ request, wait, reason });
        if (claims.has(request.arrival)) claim(request, ledger, now);
        continue;
      }
      this.grants.push({ ...request, place });
      ledger.take(
        request,
        place.unit === null ? undefined : ledger.resources.units.get(place.unit),
      );
    }
  }

  /** Units that were chosen out of groups that take turns, with the order in which they were. */
  chosen(): ReadonlyMap<string, number> {
    return this.ledger.chosen;
  }

  /** What is in the way of a request that has not been considered; `undefined` if nothing is. */
  obstacleTo(request: ResourceRequest): Obstacle | undefined {
    const place = placeFor(request, { ledger: this.ledger, now: this.now });
    return place instanceof Obstacle ? place : undefined;
  }

  /**
   * What is in the way of a request of the queue: as it was found at its turn, or, if it was left out,
   * by what is left now. `undefined` if nothing is.
   */
  waitOf(request: WaitingRequest): Pick<Obstacle, 'wait' | 'reason'> | undefined {
    const seen = this.waits.find((wait) => wait.request.arrival === request.arrival);
    return seen ?? this.obstacleTo(request);
  }
}
