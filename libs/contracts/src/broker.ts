import { z } from 'zod';
import { endpoint } from './contract.js';
import { publicEvent } from './event.js';
import { waitReason } from './broker/wait-reason.js';
import {
  clientName,
  dataAddress,
  jobNumber,
  mediaName,
  PAGE_ROWS_MAX,
  pageLimit,
  policyName,
  poolName,
  streamsPerDrive,
  timestamp,
  unitName,
} from './names.js';

/** Volumes that a heartbeat names; one without a class is a disk. */
const volumeFields = {
  pool: poolName,
  path: z.string(),
  freeBytes: z.int().nonnegative(),
  totalBytes: z.int().nonnegative(),
  /** `sequential`: only jobs share the drives that the pool has there (1 if unsaid). */
  class: z.enum(['disk', 'sequential']).optional(),
  drives: z.int().min(0).max(1_000).optional(),
  /** Why it cannot be used just now: nothing is begun there, and its sizes are 0. */
  trouble: z.string().optional(),
};

/** A media server or an agent says that it lives, where it is and what it has. */
export const hostHeartbeat = z.discriminatedUnion('role', [
  z.object({
    role: z.literal('media'),
    id: mediaName,
    host: z.string(),
    version: z.string(),
    address: dataAddress,
    volumes: z.array(z.object(volumeFields)),
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
  /** Nothing new is written there; it may still be read. */
  drained: z.boolean().optional(),
  lastSeenAt: timestamp,
  volumes: z.array(z.object(volumeFields)),
});
export type MediaServer = z.infer<typeof mediaServer>;

export const storageUnit = z.strictObject({
  name: unitName.describe('unique in the cluster; policies name it as their storage'),
  mediaId: mediaName.describe('the media server that writes'),
  pool: poolName.describe('the storage pool, of which that media server has a volume'),
  jobsMax: z.int().min(1).max(1_000).default(4).describe('jobs that may write at the same time'),
  maxStreamsPerDrive: streamsPerDrive
    .default(1)
    .describe(
      'jobs that may share a drive of a sequential pool, which writes their fragments by turns; ' +
        '1: a drive for each job. A schedule may allow less',
    ),
  fragmentBytesMax: z
    .int()
    .min(2 * 1024 * 1024)
    .max(1024 ** 4)
    .default(1024 ** 3)
    .describe(
      'stored bytes of one fragment; the next one begins before it would be exceeded. ' +
        'From the 50,001st fragment of an image on they may be larger',
    ),
  highWaterPercent: z
    .int()
    .min(1)
    .max(100)
    .default(98)
    .describe('with so much of its volume used, the unit takes no new jobs ...'),
  lowWaterPercent: z
    .int()
    .min(1)
    .max(100)
    .default(80)
    .describe('... until less than this is used again'),
  onDemandOnly: z
    .boolean()
    .default(false)
    .describe(
      'used only by whoever names it, or a group that names it: never as any unit of a pool',
    ),
});
export type StorageUnit = z.infer<typeof storageUnit>;

/** Different sets of media servers that hold what one job reads. */
export const READ_SETS_MAX = 1_000;

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
  policy: policyName.nullish(),
  fragmentBytesMax: z.int().nullable(),
  /** The one that writes comes first, those that it reads from behind it. */
  media: z.array(z.object({ mediaId: mediaName, address: dataAddress })),
  grantedAt: timestamp,
  leaseUntil: timestamp,
});
export type Allocation = z.infer<typeof allocation>;

/** Backups of one policy that a limit may allow at once. */
export const POLICY_JOBS_MAX = 10_000;

/** Stored bytes that a job expects to write; they count as used while it runs. */
const estimatedBytes = z.int().nonnegative().optional();

export const brokerAllocate = endpoint('broker', 'allocate', {
  description: 'Asks for all resources of one attempt of a job; asking again is harmless',
  request: z.discriminatedUnion('purpose', [
    z.object({
      purpose: z.literal('write'),
      job: jobNumber,
      attempt: z.int().min(1),
      client: clientName,
      /** A storage unit, or a group of them. */
      unit: unitName,
      priority: z.int().default(0),
      policy: policyName.optional(),
      /** Backups of this policy that may run at once, this one included. */
      policyJobsMax: z.int().min(1).max(POLICY_JOBS_MAX).optional(),
      estimatedBytes,
      /** Streams on the drive that it gets, its own included; default: what the unit allows. */
      multiplexing: streamsPerDrive.optional(),
      /** What it reads from, too: of each of these sets one server has to be up. */
      anyOf: z.array(z.array(mediaName).min(1).max(100)).max(READ_SETS_MAX).optional(),
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
      policy: policyName.optional(),
      estimatedBytes,
    }),
  ]),
  response: z.discriminatedUnion('state', [
    z.object({ state: z.literal('granted'), allocation }),
    z.object({ state: z.literal('queued'), reason: z.string(), wait: waitReason.optional() }),
  ]),
});

export const brokerRelease = endpoint('broker', 'release', {
  description:
    'Gives back what a job holds or waits for; an operator names the allocation instead. Twice is harmless',
  request: z
    .object({
      job: jobNumber.optional(),
      attempt: z.int().min(1).optional(),
      allocationId: z.uuid().optional(),
    })
    .refine(
      ({ job, attempt, allocationId }) =>
        allocationId === undefined
          ? job !== undefined && attempt !== undefined
          : job === undefined && attempt === undefined,
      'name either job and attempt, or allocationId',
    ),
  response: z.object({
    released: z.boolean(),
    /** For the operator: whose it was, and what becomes of that job. */
    note: z.string().optional(),
  }),
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
  description: 'All clients that an agent has spoken for, by name, in pages',
  request: z.object({
    /** The `next` of the page before. */
    after: clientName.optional(),
    limit: pageLimit.default(PAGE_ROWS_MAX),
  }),
  response: z.object({
    /** As many as were asked for, or as fit into one message. */
    clients: z.array(
      z.object({
        client: clientName,
        host: z.string(),
        version: z.string(),
        state: z.enum(['up', 'down']),
        lastSeenAt: timestamp,
      }),
    ),
    /** Where the next page begins; null on the last one. */
    next: clientName.nullable().default(null),
  }),
});

export const brokerServers = endpoint('broker', 'servers', {
  description: 'All media servers with their volumes',
  request: z.object({}),
  response: z.object({ servers: z.array(mediaServer) }),
});

export const unitView = storageUnit.extend({
  jobsActive: z.int(),
  drained: z.boolean(),
  /** It has reached its high water mark and is not below the low one again. */
  full: z.boolean(),
});
export type UnitView = z.infer<typeof unitView>;

export const brokerUnits = endpoint('broker', 'units', {
  description: 'All storage units with what they are used for now',
  request: z.object({}),
  response: z.object({ units: z.array(unitView) }),
});

export const brokerUnitPut = endpoint('broker', 'unit-put', {
  description: 'Creates or changes a storage unit',
  request: z.object({ unit: storageUnit }),
  response: z.object({ unit: storageUnit }),
});

export const brokerUnitDelete = endpoint('broker', 'unit-delete', {
  description: 'Removes a storage unit that nothing uses: no job, no waiting request, no group',
  request: z.object({ name: unitName }),
  response: z.object({}),
});

/** Of one job, in the queue. */
export const queuedView = z.object({
  job: jobNumber,
  attempt: z.int(),
  reason: z.string(),
  wait: waitReason.optional(),
});

export const brokerAllocations = endpoint('broker', 'allocations', {
  description: 'What is granted now, and what waits',
  request: z.object({
    media: mediaName.optional(),
    unit: unitName.optional(),
    pool: poolName.optional(),
    client: clientName.optional(),
    policy: policyName.optional(),
  }),
  response: z.object({
    /** Those that fit all filters, the oldest first; the first 1,000, or as fit into one message. */
    allocations: z.array(allocation),
    /** There are more that fit all filters. */
    isCut: z.boolean().default(false),
    /** In the order of their turn; as many at most. Empty with a filter: ask `queue`. */
    queue: z.array(queuedView),
    /** How many wait in all. */
    queued: z.int().default(0),
  }),
});

/** A place in the queue: higher priorities first, then who came first. */
export const queueTurn = z.object({ priority: z.int(), arrival: z.int() });
export type QueueTurn = z.infer<typeof queueTurn>;

export const queueEntry = queuedView.extend({
  wait: waitReason,
  purpose: z.enum(['write', 'read', 'duplicate']),
  client: clientName,
  /** As asked for: a storage unit or a group. */
  unit: unitName.nullable(),
  pool: poolName.nullable(),
  policy: policyName.nullable(),
  priority: z.int(),
  /** In the whole queue, from 1. */
  position: z.int(),
  since: timestamp,
});
export type QueueEntry = z.infer<typeof queueEntry>;

export const brokerQueue = endpoint('broker', 'queue', {
  description: 'Who waits for what, in the order of their turn, in pages',
  request: z.object({
    unit: unitName.optional(),
    client: clientName.optional(),
    policy: policyName.optional(),
    reason: waitReason.optional(),
    /** `next` of the page before. */
    after: queueTurn.optional(),
    limit: z.int().min(1).max(PAGE_ROWS_MAX).default(100),
  }),
  response: z.object({
    /** As many as were asked for, or as fit into one message. */
    entries: z.array(queueEntry),
    next: queueTurn.nullable(),
    /** How many wait in all, whatever the filters. */
    queued: z.int(),
  }),
});

export const brokerPriority = endpoint('broker', 'priority', {
  description: 'Changes the priority of a request that waits; higher goes first',
  request: z.object({ job: jobNumber, priority: z.int().min(0).max(99_999) }),
  response: z.object({
    job: jobNumber,
    priority: z.int(),
    /** False: the job waits for nothing. */
    waiting: z.boolean(),
  }),
});

export const allocationGranted = publicEvent('allocation', 'granted', {
  description: 'A job that waited for resources has got them; the id is the job number',
  data: allocation,
});
