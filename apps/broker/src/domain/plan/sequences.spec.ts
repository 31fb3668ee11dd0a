import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { BrokerModel } from '../../testing/broker-model.js';
import { anySequence, seen, setUp, type Command } from '../../testing/random-commands.js';
import { anyResources } from '../../testing/random-resources.js';
import { NOW } from '../../testing/sample-resources.js';
import { drivesFor } from '../drive-streams.js';
import { bytesOf } from '../resource-request.js';
import { poolKey } from '../resources.js';
import type { Plan } from './plan.js';

/** Runs commands with a look at each plan. */
function always(check: (made: Plan, broker: BrokerModel) => void): void {
  fc.assert(
    fc.property(anyResources, anySequence, (all, commands) => {
      const broker = setUp(new BrokerModel(NOW), all);
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
        expect(drivesFor(use.streams)).toBeLessThanOrEqual(pool.drives ?? Infinity);
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

  // That nobody holds anything after the end of a lease, `allocator-model.int.spec.ts` says of the real one.
  it('nobody both holds and waits', () => {
    always((_, broker) => {
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
        const broker = setUp(new BrokerModel(NOW), all);
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
