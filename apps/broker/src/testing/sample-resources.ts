import { storageUnit } from '#contracts/broker.js';
import { HEARTBEAT_MISSED_MS } from '#contracts/broker.js';
import type { WaitingRequest } from '../domain/resource-request.js';
import type { Resources, ServerPool, ServerResource, UnitResource } from '../domain/resources.js';

export const NOW = new Date('2026-03-01T12:00:00Z');
const LONG_AGO = new Date(NOW.getTime() - HEARTBEAT_MISSED_MS - 1);

/** Of unknown size: nothing limits what is written there but units. */
export const ENDLESS: ServerPool = { freeBytes: 0, totalBytes: 0, drives: null };

export function server(
  mediaId: string,
  options: {
    down?: boolean;
    drained?: boolean;
    pools?: readonly string[] | Readonly<Record<string, ServerPool>>;
  } = {},
): ServerResource {
  const { down = false, drained = false, pools = ['disk'] } = options;
  const entries: (readonly [string, ServerPool])[] = Array.isArray(pools)
    ? pools.map((pool: string) => [pool, ENDLESS])
    : Object.entries(pools);
  return { mediaId, lastSeenAt: down ? LONG_AGO : NOW, drained, pools: new Map(entries) };
}

export function unit(name: string, options: Partial<UnitResource> = {}): UnitResource {
  return {
    ...storageUnit.parse({ name, mediaId: 'm1', pool: 'disk' }),
    ...{ jobsActive: 0, drained: false, full: false, chosen: 0 },
    ...options,
  };
}

/** No group, no limit and nothing that runs, but what `others` say. */
export function resources(
  servers: readonly ServerResource[],
  units: readonly UnitResource[],
  others: Partial<Resources> = {},
): Resources {
  return {
    servers: new Map(servers.map((each) => [each.mediaId, each])),
    units: new Map(units.map((each) => [each.name, each])),
    ...{ groups: new Map(), poolUse: new Map(), clientLimits: new Map(), clientJobsMax: 1_000 },
    ...{ clientJobs: new Map(), policyJobs: new Map() },
    ...others,
  };
}

type WriteRequest = Extract<WaitingRequest, { purpose: 'write' }>;
type ReadRequest = Extract<WaitingRequest, { purpose: 'read' }>;
type CopyRequest = Extract<WaitingRequest, { purpose: 'duplicate' }>;

/** Jobs come in the order of their numbers, just now. */
function common(job: number) {
  return { job, attempt: 1, client: 'c', priority: 0, arrival: job, queuedAt: NOW };
}

export function write(
  job: number,
  name: string,
  options: Partial<WriteRequest> = {},
): WriteRequest {
  return { ...common(job), purpose: 'write', unit: name, ...options };
}

export function read(
  job: number,
  media: string[],
  options: Partial<ReadRequest> = {},
): ReadRequest {
  return { ...common(job), purpose: 'read', media, ...options };
}

export function copy(
  job: number,
  sources: string[],
  options: Partial<CopyRequest> = {},
): CopyRequest {
  return { ...common(job), purpose: 'duplicate', pool: 'far', sources, ...options };
}
