import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { BrokerModel, LEASE_MS } from '../../testing/broker-model.js';
import {
  anyGroup,
  anyQueue,
  anyResources,
  CLIENTS,
  GROUPS,
  MEDIA,
  POOLS,
  UNITS,
} from '../../testing/random-resources.js';
import { NOW } from '../../testing/sample-resources.js';
import { bytesOf } from '../resource-request.js';
import { poolKey, type Resources, type ServerResource } from '../resources.js';
import type { Plan } from './plan.js';

type Command = (broker: BrokerModel) => void;

const at = (index: number, count: number) => Math.min(count - 1, Math.floor(index * count));
const chance = fc.double({ min: 0, max: 0.999, noNaN: true });

const anyRequests = anyQueue.map((queue): Command => (broker) => {
  for (const request of queue.slice(0, 6)) broker.request(request);
});
const anyRelease = chance.map((which): Command => (broker) => {
  const held = broker.held[at(which, broker.held.length)];
  if (held !== undefined) broker.release(held.grant.job);
});
/** Some holders live and renew their leases; those that crashed do not. */
const anyTime = fc
  .tuple(fc.integer({ min: 1, max: LEASE_MS }), chance)
  .map(([ms, alive]): Command => (broker) => {
    broker.now = new Date(broker.now.getTime() + ms);
    for (const { grant } of broker.held.slice(at(alive, broker.held.length + 1))) {
      broker.renew(grant.job);
    }
    for (const [mediaId, server] of broker.servers) {
      if (server.lastSeenAt.getTime() > 0) seen(broker, mediaId, { lastSeenAt: broker.now });
    }
  });
const anyHeartbeat = fc
  .record({
    mediaId: fc.constantFrom(...MEDIA),
    down: fc.boolean(),
    pool: fc.constantFrom(...POOLS),
    freeBytes: fc.integer({ min: 0, max: 100 }),
  })
  .map(({ mediaId, down, pool, freeBytes }): Command => (broker) => {
    const pools = new Map(broker.servers.get(mediaId)!.pools);
    pools.set(pool, { freeBytes, totalBytes: 100, drives: pool === 'tape' ? 2 : null });
    seen(broker, mediaId, { pools, lastSeenAt: down ? new Date(0) : broker.now });
  });
const anyLimit = fc.tuple(fc.constantFrom(...CLIENTS), fc.integer({ min: 1, max: 4 })).map(
  ([client, max]): Command =>
    (broker) =>
      void broker.clientLimits.set(client, max),
);
const anyUnitChange = fc
  .record({
    name: fc.constantFrom(...UNITS),
    jobsMax: fc.integer({ min: 1, max: 4 }),
    drained: fc.boolean(),
  })
  .map(({ name, jobsMax, drained }): Command => (broker) => {
    broker.units.set(name, { ...broker.units.get(name)!, jobsMax, drained });
  });
const anyGroupChange = fc
  .constantFrom(...GROUPS)
  .chain(anyGroup)
  .map(
    (group): Command =>
      (broker) =>
        void broker.groups.set(group.name, group),
  );
const anyDrain = fc.tuple(fc.constantFrom(...MEDIA), fc.boolean()).map(
  ([mediaId, drained]): Command =>
    (broker) =>
      seen(broker, mediaId, { drained }),
);

const anyCommand = fc.oneof(
  { weight: 4, arbitrary: anyRequests },
  { weight: 8, arbitrary: anyRelease },
  { weight: 3, arbitrary: anyTime },
  { weight: 3, arbitrary: anyHeartbeat },
  anyLimit,
  anyUnitChange,
  anyGroupChange,
  anyDrain,
);
const anySequence = fc.array(anyCommand, { minLength: 5, maxLength: 50, size: 'max' });

function seen(broker: BrokerModel, mediaId: string, change: Partial<ServerResource>): void {
  broker.servers.set(mediaId, { ...broker.servers.get(mediaId)!, ...change });
}

/** With nothing that runs; made anew for each run, as it is changed. */
function brokerOf(all: Resources): BrokerModel {
  const broker = new BrokerModel(NOW);
  for (const [id, server] of all.servers) broker.servers.set(id, server);
  for (const [name, unit] of all.units) broker.units.set(name, { ...unit, jobsActive: 0 });
  for (const [name, group] of all.groups) broker.groups.set(name, group);
  return broker;
}

/** Runs commands with a look at each plan. */
function always(check: (made: Plan, broker: BrokerModel) => void): void {
  fc.assert(
    fc.property(anyResources, anySequence, (all, commands) => {
      const broker = brokerOf(all);
      for (const command of commands) {
        command(broker);
        check(broker.evaluate(), broker);
      }
    }),
    { numRuns: 100 },
  );
}

describe('over any sequence of requests, releases, heartbeats, crashes and changes', () => {
  it('no grant ever exceeds a limit, or uses what is down, drained, full or absent', () => {
    always(({ grants }, broker) => {
      const all = broker.resources();
      for (const grant of grants) {
        for (const id of grant.place.media) {
          expect(all.servers.get(id)?.lastSeenAt).toEqual(broker.now);
        }
        if (grant.place.unit === null) continue;
        const unit = all.units.get(grant.place.unit)!;
        const server = all.servers.get(unit.mediaId)!;
        const pool = server.pools.get(unit.pool)!;
        const use = all.poolUse.get(poolKey(unit))!;
        expect([unit.drained, unit.full, server.drained]).toEqual([false, false, false]);
        expect(unit.jobsActive).toBeLessThanOrEqual(unit.jobsMax);
        expect(use.jobs).toBeLessThanOrEqual(pool.drives ?? Infinity);
        if (bytesOf(grant) > 0 && pool.totalBytes > 0 && pool.drives === null) {
          // The marks of units that share a volume may differ: the highest holds for all.
          expect(use.bytes).toBeLessThanOrEqual(pool.freeBytes);
        }
        if (grant.purpose !== 'write') continue;
        const clientMax = all.clientLimits.get(grant.client) ?? all.clientJobsMax;
        expect(all.clientJobs.get(grant.client)).toBeLessThanOrEqual(clientMax);
        const { policy, policyJobsMax } = grant;
        if (policy !== undefined && policyJobsMax !== undefined) {
          const later = grants.slice(grants.indexOf(grant) + 1);
          const after = later.filter((one) => one.purpose === 'write' && one.policy === policy);
          const jobs = all.policyJobs.get(policy)! - after.length;
          expect(jobs).toBeLessThanOrEqual(policyJobsMax);
        }
      }
    });
  });

  it('nobody holds anything after the end of a lease, and nobody both holds and waits', () => {
    always((_, broker) => {
      expect(broker.held.every(({ leaseUntil }) => leaseUntil > broker.now)).toBe(true);
      const jobs = [...broker.held.map(({ grant }) => grant), ...broker.queue].map(
        ({ job }) => job,
      );
      expect(new Set(jobs).size).toBe(jobs.length);
    });
  });

  it('whoever waits is blocked by what is held, away or limited: nothing waits in an idle cluster', () => {
    const idle: Command = (broker) => {
      broker.held = [];
      for (const id of broker.servers.keys()) {
        const size = { freeBytes: 100, totalBytes: 100 };
        const pools = new Map([
          ['disk', { ...size, drives: null }],
          ['tape', { ...size, drives: 2 }],
        ]);
        seen(broker, id, { lastSeenAt: broker.now, drained: false, pools });
      }
      for (const [name, unit] of broker.units) {
        broker.units.set(name, { ...unit, drained: false, full: false });
      }
    };
    fc.assert(
      fc.property(anyResources, anySequence, (all, commands) => {
        const broker = brokerOf(all);
        for (const command of commands) {
          command(broker);
          broker.evaluate();
        }
        // Duplications into a pool without a unit would have been refused.
        const pools = [...broker.units.values()]
          .filter(({ onDemandOnly }) => !onDemandOnly)
          .map(({ pool }) => pool);
        broker.queue = broker.queue.filter(
          (one) => one.purpose !== 'duplicate' || pools.includes(one.pool),
        );
        for (let left = broker.queue.length; left > 0; left = broker.queue.length) {
          idle(broker);
          broker.evaluate();
          expect(broker.queue.length).toBeLessThan(left);
        }
      }),
      { numRuns: 60 },
    );
  });
});
