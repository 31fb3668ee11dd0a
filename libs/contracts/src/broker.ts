import { z } from 'zod';
import { endpoint } from './contract.js';
import { publicEvent } from './event.js';
import {
  clientName,
  dataAddress,
  jobNumber,
  mediaName,
  policyName,
  poolName,
  timestamp,
  unitName,
} from './names.js';

/** A media server or an agent says that it lives, where it is and what it has. */
export const hostHeartbeat = z.discriminatedUnion('role', [
  z.object({
    role: z.literal('media'),
    id: mediaName,
    host: z.string(),
    version: z.string(),
    address: dataAddress,
    volumes: z.array(
      z.object({
        pool: poolName,
        path: z.string(),
        freeBytes: z.int().nonnegative(),
        totalBytes: z.int().nonnegative(),
      }),
    ),
  }),
  z.object({ role: z.literal('agent'), id: clientName, host: z.string(), version: z.string() }),
]);
export type HostHeartbeat = z.infer<typeof hostHeartbeat>;

/** How often a host says so, and after which silence it counts as down. */
export const HEARTBEAT_MS = 5_000;
export const HEARTBEAT_MISSED_MS = 20_000;

export const mediaServer = z.object({
  mediaId: mediaName,
  host: z.string(),
  version: z.string(),
  address: dataAddress,
  state: z.enum(['up', 'down']),
  lastSeenAt: timestamp,
  volumes: z.array(
    z.object({ pool: poolName, path: z.string(), freeBytes: z.int(), totalBytes: z.int() }),
  ),
});
export type MediaServer = z.infer<typeof mediaServer>;

export const storageUnit = z.strictObject({
  name: unitName,
  mediaId: mediaName,
  pool: poolName,
  /** Jobs that may write at the same time. */
  jobsMax: z.int().min(1).max(1_000).default(4),
  /** Stored bytes of one fragment; the next one begins before it would be exceeded. */
  fragmentBytesMax: z
    .int()
    .min(2 * 1024 * 1024)
    .max(1024 ** 4)
    .default(1024 ** 3),
});
export type StorageUnit = z.infer<typeof storageUnit>;

/** Different sets of media servers that hold what one job reads. */
export const READ_SETS_MAX = 1_000;

/** What a request that is queued waits for. */
export const waitReason = z.enum([
  'unit-busy',
  'unit-full',
  'unit-drained',
  'unit-missing',
  'media-down',
  'no-volume',
  'client-limit',
  'policy-limit',
  'drive-busy',
  'mount',
  'turn',
]);
export type WaitReason = z.infer<typeof waitReason>;

/** The policy behind a request, and how much it is expected to write. */
const ofPolicy = {
  policy: policyName.optional(),
  policyJobsMax: z.int().min(1).max(10_000).optional(),
  estimatedBytes: z.int().nonnegative().optional(),
};

/** What the broker granted to one attempt of a job: all that it needs, or nothing. */
export const allocation = z.object({
  allocationId: z.uuid(),
  job: jobNumber,
  attempt: z.int().min(1),
  purpose: z.enum(['write', 'read', 'duplicate']),
  client: clientName,
  /** Null for reads, which need no unit. */
  unit: unitName.nullable(),
  pool: poolName.nullable(),
  fragmentBytesMax: z.int().nullable(),
  /** The one that writes comes first, those that it reads from behind it. */
  media: z.array(z.object({ mediaId: mediaName, address: dataAddress })),
  grantedAt: timestamp,
  leaseUntil: timestamp,
});
export type Allocation = z.infer<typeof allocation>;

export const brokerAllocate = endpoint('broker', 'allocate', {
  description: 'Asks for all resources of one attempt of a job; asking again is harmless',
  request: z.discriminatedUnion('purpose', [
    z.object({
      purpose: z.literal('write'),
      job: jobNumber,
      attempt: z.int().min(1),
      client: clientName,
      unit: unitName,
      priority: z.int().default(0),
      ...ofPolicy,
    }),
    z.object({
      purpose: z.literal('read'),
      job: jobNumber,
      attempt: z.int().min(1),
      client: clientName,
      media: z.array(mediaName).min(1).max(100),
      /** Of each of these sets one server is enough: the same data lies on all of it. Default: all. */
      anyOf: z.array(z.array(mediaName).min(1).max(100)).max(READ_SETS_MAX).optional(),
      priority: z.int().default(0),
    }),
    z.object({
      purpose: z.literal('duplicate'),
      job: jobNumber,
      attempt: z.int().min(1),
      /** Of the image; its agent need not be there. */
      client: clientName,
      /** Where the new copy goes: any unit of this pool will do, best on a server that has the source. */
      pool: poolName,
      sources: z.array(mediaName).min(1).max(100),
      priority: z.int().default(0),
    }),
  ]),
  response: z.discriminatedUnion('state', [
    z.object({ state: z.literal('granted'), allocation }),
    z.object({
      state: z.literal('queued'),
      reason: z.string(),
      wait: waitReason.optional(),
    }),
  ]),
});

export const brokerRelease = endpoint('broker', 'release', {
  description: 'Gives back what a job holds or waits for; releasing twice is harmless',
  request: z.object({ job: jobNumber, attempt: z.int().min(1) }),
  response: z.object({ released: z.boolean() }),
});

export const brokerPriority = endpoint('broker', 'priority', {
  description: "Changes a waiting request's place in the queue",
  request: z.object({ job: jobNumber, priority: z.int().min(0).max(99_999) }),
  /** `waiting` is false for a job that waits for nothing. */
  response: z.object({ job: jobNumber, priority: z.int(), waiting: z.boolean() }),
});

export const brokerHeartbeat = endpoint('broker', 'heartbeat', {
  description: 'A media server or an agent says that it lives and what it has',
  request: hostHeartbeat,
  response: z.object({}),
});

export const brokerClient = endpoint('broker', 'client', {
  description: 'Says whether a client is known and reachable',
  request: z.object({ client: clientName }),
  response: z.object({ client: clientName, state: z.enum(['up', 'down']), lastSeenAt: timestamp }),
});

export const brokerClients = endpoint('broker', 'clients', {
  description: 'All clients that an agent has spoken for',
  request: z.object({}),
  response: z.object({
    clients: z.array(
      z.object({
        client: clientName,
        host: z.string(),
        version: z.string(),
        state: z.enum(['up', 'down']),
        lastSeenAt: timestamp,
      }),
    ),
  }),
});

export const brokerServers = endpoint('broker', 'servers', {
  description: 'All media servers with their volumes',
  request: z.object({}),
  response: z.object({ servers: z.array(mediaServer) }),
});

export const brokerUnits = endpoint('broker', 'units', {
  description: 'All storage units with what they are used for now',
  request: z.object({}),
  response: z.object({ units: z.array(storageUnit.extend({ jobsActive: z.int() })) }),
});

export const brokerGroups = endpoint('broker', 'groups', {
  description: 'All storage unit groups',
  request: z.object({}),
  response: z.object({ groups: z.array(z.object({ name: unitName, units: z.array(unitName) })) }),
});

export const brokerUnitPut = endpoint('broker', 'unit-put', {
  description: 'Creates or changes a storage unit',
  request: z.object({ unit: storageUnit }),
  response: z.object({ unit: storageUnit }),
});

export const brokerAllocations = endpoint('broker', 'allocations', {
  description: 'What is granted now, and what waits',
  request: z.object({}),
  response: z.object({
    allocations: z.array(allocation),
    /** In the order of their turn; the first 1,000. */
    queue: z.array(z.object({ job: jobNumber, attempt: z.int(), reason: z.string() })),
    /** How many wait in all. */
    queued: z.int().default(0),
  }),
});

export const allocationGranted = publicEvent('allocation', 'granted', {
  description: 'A job that waited for resources has got them; the id is the job number',
  data: allocation,
});
