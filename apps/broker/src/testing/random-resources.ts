import fc from 'fast-check';
import type { UnitGroup } from '#contracts/broker/configuration.js';
import { CLAIM_AFTER_MS } from '../domain/plan/claims.js';
import type { WaitingRequest } from '../domain/resource-request.js';
import { poolKey, type Resources, type ServerPool } from '../domain/resources.js';
import { copy, NOW, read, resources, server, unit, write } from './sample-resources.js';

export const MEDIA = ['m1', 'm2', 'm3'];
export const POOLS = ['disk', 'tape'];
export const UNITS = ['u1', 'u2', 'u3', 'u4', 'u5'];
export const GROUPS = ['g1', 'g2'];
export const CLIENTS = ['c1', 'c2', 'c3'];
export const POLICIES = ['p1', 'p2'];
export const SELECTIONS = ['prioritized', 'failover', 'round-robin', 'load-balance'] as const;

const upTo = (max: number) => fc.integer({ min: 0, max });

const anyPool = fc.oneof(
  upTo(100).map((freeBytes): ServerPool => ({ freeBytes, totalBytes: 100, drives: null })),
  upTo(3).map((drives): ServerPool => ({ freeBytes: 0, totalBytes: 0, drives })),
);

const anyServers = fc.tuple(
  ...MEDIA.map((id) =>
    fc
      .record({
        down: fc.boolean(),
        drained: upTo(4).map((chance) => chance === 0),
        pools: fc.dictionary(fc.constantFrom(...POOLS), anyPool),
      })
      .map((options) => server(id, options)),
  ),
);

const anyUnits = fc.tuple(
  ...UNITS.map((name) =>
    fc
      .record({
        mediaId: fc.constantFrom(...MEDIA),
        pool: fc.constantFrom(...POOLS),
        jobsMax: fc.integer({ min: 1, max: 4 }),
        jobsActive: upTo(4),
        maxStreamsPerDrive: fc.integer({ min: 1, max: 4 }),
        highWaterPercent: fc.constantFrom(90, 100),
        onDemandOnly: upTo(4).map((chance) => chance === 0),
        drained: upTo(6).map((chance) => chance === 0),
        full: upTo(6).map((chance) => chance === 0),
        chosen: upTo(9),
      })
      .map((options) => unit(name, options)),
  ),
);

export const anyGroup = (name: string): fc.Arbitrary<UnitGroup> =>
  fc.record({
    name: fc.constant(name),
    units: fc.subarray(UNITS, { minLength: 1 }),
    selection: fc.constantFrom(...SELECTIONS),
  });

export const anyResources: fc.Arbitrary<Resources> = fc
  .record({
    servers: anyServers,
    units: anyUnits,
    groups: fc.tuple(...GROUPS.map(anyGroup)),
    promised: upTo(30),
    limits: fc.dictionary(fc.constantFrom(...CLIENTS), fc.integer({ min: 1, max: 4 })),
    clientJobsMax: fc.integer({ min: 1, max: 4 }),
    clientJobs: fc.dictionary(fc.constantFrom(...CLIENTS), upTo(4)),
    policyJobs: fc.dictionary(fc.constantFrom(...POLICIES), upTo(3)),
  })
  .map(({ servers, units, groups, promised, limits, clientJobsMax, clientJobs, policyJobs }) =>
    resources(servers, units, {
      groups: new Map(groups.map((group) => [group.name, group])),
      poolUse: new Map(units.map((each) => [poolKey(each), { streams: [2], bytes: promised }])),
      clientLimits: new Map(Object.entries(limits)),
      clientJobsMax,
      clientJobs: new Map(Object.entries(clientJobs)),
      policyJobs: new Map(Object.entries(policyJobs)),
    }),
  );

const anyWrite = fc
  .record({
    name: fc.constantFrom(...UNITS, ...GROUPS),
    client: fc.constantFrom(...CLIENTS),
    estimatedBytes: fc.oneof(fc.constant(0), upTo(60)),
    multiplexing: fc.option(fc.integer({ min: 1, max: 4 }), { nil: undefined }),
    limited: fc.option(
      fc.record({ policy: fc.constantFrom(...POLICIES), policyJobsMax: fc.constantFrom(1, 2, 3) }),
      { nil: undefined },
    ),
  })
  .map(
    ({ name, limited, multiplexing, ...options }) =>
      (job: number): WaitingRequest =>
        write(job, name, { ...options, ...limited, ...(multiplexing && { multiplexing }) }),
  );

const anyRead = fc
  .tuple(fc.subarray(MEDIA, { minLength: 1 }), fc.boolean(), fc.subarray(MEDIA, { minLength: 1 }))
  .map(
    ([media, inSets, set]) =>
      (job: number): WaitingRequest =>
        read(job, media, inSets ? { anyOf: [set, media] } : {}),
  );

const anyCopy = fc
  .record({
    sources: fc.subarray(MEDIA, { minLength: 1 }),
    client: fc.constantFrom(...CLIENTS),
    pool: fc.constantFrom(...POOLS),
    estimatedBytes: upTo(60),
    named: fc.option(fc.record({ policy: fc.constantFrom(...POLICIES) }), { nil: undefined }),
  })
  .map(
    ({ sources, named, ...options }) =>
      (job: number): WaitingRequest =>
        copy(job, sources, { ...options, ...named }),
  );

/** Mostly backups. The first few have waited long enough for a claim. */
export const anyQueue: fc.Arbitrary<WaitingRequest[]> = fc
  .tuple(
    fc.array(
      fc.tuple(
        fc.oneof({ weight: 4, arbitrary: anyWrite }, anyRead, anyCopy),
        fc.integer({ min: 0, max: 2 }),
      ),
      { maxLength: 40, size: 'max' },
    ),
    upTo(20),
  )
  .map(([all, old]) =>
    all.map(([need, priority], index) => ({
      ...need(index + 1),
      priority,
      queuedAt: index < old ? new Date(NOW.getTime() - CLAIM_AFTER_MS) : NOW,
    })),
  );
