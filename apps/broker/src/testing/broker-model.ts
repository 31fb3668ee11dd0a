import { plan, type Plan } from '../domain/plan/plan.js';
import type { Grant } from '../domain/plan/walk.js';
import { bytesOf, needOf, type WaitingRequest } from '../domain/resource-request.js';
import {
  poolKey,
  type PoolUse,
  type Resources,
  type ServerResource,
  type UnitResource,
} from '../domain/resources.js';
import { markChanges } from '../domain/water-marks.js';
import { resources } from './sample-resources.js';

export interface Held {
  readonly grant: Grant;
  readonly pool: string | null;
  /** Its holder renews it no longer after this. */
  readonly leaseUntil: Date;
}

export const LEASE_MS = 60_000;

/** A broker in memory around the real plan: what a transaction does, without a database. */
export class BrokerModel {
  now: Date;
  queue: WaitingRequest[] = [];
  held: Held[] = [];
  readonly servers = new Map<string, ServerResource>();
  readonly units = new Map<string, UnitResource>();
  readonly groups = new Map<string, ReturnType<Resources['groups']['get']> & object>();
  readonly clientLimits = new Map<string, number>();
  clientJobsMax = 2;
  private arrivals = 0;

  constructor(now: Date) {
    this.now = now;
  }

  request(request: WaitingRequest): WaitingRequest {
    this.arrivals += 1;
    const queued = { ...request, job: this.arrivals, arrival: this.arrivals, queuedAt: this.now };
    this.queue.push(queued);
    return queued;
  }

  /** The holder lives: it asks again. */
  renew(job: number): void {
    this.held = this.held.map((each) =>
      each.grant.job === job ? { ...each, leaseUntil: this.leaseUntil() } : each,
    );
  }

  release(job: number): void {
    this.held = this.held.filter(({ grant }) => grant.job !== job);
  }

  /** As after each change: leases, water marks, then the plan. */
  evaluate(): Plan {
    this.held = this.held.filter(({ leaseUntil }) => leaseUntil > this.now);
    for (const changed of markChanges(this)) {
      this.units.set(changed.name, { ...this.units.get(changed.name)!, full: changed.full });
    }
    const made = plan(this.queue, this.resources(), this.now);
    for (const grant of made.grants) {
      const pool = grant.place.unit === null ? null : this.units.get(grant.place.unit)!.pool;
      this.held.push({ grant, pool, leaseUntil: this.leaseUntil() });
    }
    for (const [name, chosen] of made.chosen()) {
      this.units.set(name, { ...this.units.get(name)!, chosen });
    }
    this.queue = made.waits.map(({ request }) => request);
    return made;
  }

  resources(): Resources {
    const writers = this.held.filter(({ grant }) => grant.place.unit !== null);
    const backups = writers.filter(({ grant }) => grant.purpose === 'write');
    const poolUse = new Map<string, PoolUse>();
    for (const { grant, pool } of writers) {
      const key = poolKey({ mediaId: grant.place.media[0]!, pool: pool! });
      const { streams, bytes } = poolUse.get(key) ?? { streams: [], bytes: 0 };
      const { maxStreamsPerDrive } = this.units.get(grant.place.unit!)!;
      const allowed = Math.min(maxStreamsPerDrive, needOf(grant).streams);
      poolUse.set(key, { streams: [...streams, allowed], bytes: bytes + bytesOf(grant) });
    }
    const units = [...this.units.values()].map((unit) => ({
      ...unit,
      jobsActive: writers.filter(({ grant }) => grant.place.unit === unit.name).length,
    }));
    return resources([...this.servers.values()], units, {
      ...{ groups: this.groups, clientLimits: this.clientLimits },
      ...{ poolUse, clientJobsMax: this.clientJobsMax },
      clientJobs: countBy(backups, ({ grant }) => grant.client),
      policyJobs: countBy(backups, ({ grant }) =>
        grant.purpose === 'write' ? grant.policy : undefined,
      ),
    });
  }

  private leaseUntil(): Date {
    return new Date(this.now.getTime() + LEASE_MS);
  }
}

function countBy<T>(all: readonly T[], keyOf: (one: T) => string | undefined): Map<string, number> {
  const counts = new Map<string, number>();
  for (const one of all) {
    const key = keyOf(one);
    if (key !== undefined) counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  return counts;
}
