import fc from 'fast-check';
import type { Resources, ServerResource } from '../domain/resources.js';
import { BrokerModel, LEASE_MS } from './broker-model.js';
import { anyGroup, anyQueue, CLIENTS, GROUPS, MEDIA, POOLS, UNITS } from './random-resources.js';

/** What happens to a broker: people, jobs, media servers and time do something. */
export type Command = (broker: BrokerModel) => void;

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
export const anySequence = fc.array(anyCommand, { minLength: 5, maxLength: 50, size: 'max' });

/** What is known of a media server changes. */
export function seen(broker: BrokerModel, mediaId: string, change: Partial<ServerResource>): void {
  broker.servers.set(mediaId, { ...broker.servers.get(mediaId)!, ...change });
}

/** Sets a broker up with nothing that runs; made anew for each run, as it is changed. */
export function setUp<T extends BrokerModel>(broker: T, all: Resources): T {
  for (const [id, server] of all.servers) broker.servers.set(id, server);
  for (const [name, unit] of all.units) broker.units.set(name, { ...unit, jobsActive: 0 });
  for (const [name, group] of all.groups) broker.groups.set(name, group);
  return broker;
}
