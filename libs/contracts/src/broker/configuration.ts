import { z } from 'zod';
import { endpoint } from '../contract.js';
import { publicEvent } from '../event.js';
import { clientName, groupName, mediaName, poolName, timestamp, unitName } from '../names.js';

/** How a group chooses among its units. */
export const unitSelection = z.enum(['prioritized', 'failover', 'round-robin', 'load-balance']);
export type UnitSelection = z.infer<typeof unitSelection>;

/** Units of which a job gets one; its name stands wherever a unit's may stand. */
export const unitGroup = z.strictObject({
  name: groupName.describe('unique among groups and units; policies name it as their storage'),
  units: z
    .array(unitName)
    .min(1)
    .max(100)
    .refine((names) => new Set(names).size === names.length, 'a unit stands in a group once')
    .describe('storage units in the order of preference'),
  selection: unitSelection
    .default('prioritized')
    .describe(
      'prioritized: the first that can take the job. failover: the first that works, though it be ' +
        'busy or full. round-robin: of those that can, the one that was chosen longest ago. ' +
        'load-balance: the one with the fewest jobs for its maximum, then with the most room',
    ),
});
export type UnitGroup = z.infer<typeof unitGroup>;

export const storagePool = z.strictObject({
  name: poolName.describe('unique in the cluster; volumes and storage units name it'),
  class: z
    .enum(['primary', 'copy', 'active-data'])
    .default('primary')
    .describe('what its volumes hold: first images, further copies, or what is needed at hand'),
  description: z.string().max(1_000).default('').describe('for people'),
});
export type StoragePool = z.infer<typeof storagePool>;

export const poolView = storagePool.extend({
  /** False: nobody declared it, a volume names it; then it is a primary pool. */
  declared: z.boolean(),
  units: z.array(unitName),
  volumes: z.int(),
  freeBytes: z.int(),
  totalBytes: z.int(),
});
export type PoolView = z.infer<typeof poolView>;

export const clientLimitView = z.object({
  client: clientName,
  jobsMax: z.int(),
  /** False: the default for clients without a limit of their own. */
  own: z.boolean(),
  jobsActive: z.int(),
});
export type ClientLimitView = z.infer<typeof clientLimitView>;

export const brokerGroups = endpoint('broker', 'groups', {
  description: 'All storage unit groups',
  request: z.object({}),
  response: z.object({ groups: z.array(unitGroup) }),
});

export const brokerGroupPut = endpoint('broker', 'group-put', {
  description: 'Creates or changes a storage unit group',
  request: z.object({ group: unitGroup }),
  response: z.object({ group: unitGroup }),
});

export const brokerGroupDelete = endpoint('broker', 'group-delete', {
  description: 'Removes a storage unit group that no waiting request names',
  request: z.object({ name: groupName }),
  response: z.object({}),
});

export const brokerPools = endpoint('broker', 'pools', {
  description: 'All storage pools: those that were declared, and those that only a volume names',
  request: z.object({}),
  response: z.object({ pools: z.array(poolView) }),
});

export const brokerPoolPut = endpoint('broker', 'pool-put', {
  description: 'Declares a storage pool, or changes what was declared',
  request: z.object({ pool: storagePool }),
  response: z.object({ pool: storagePool }),
});

export const brokerPoolDelete = endpoint('broker', 'pool-delete', {
  description: 'Takes a declaration back, of a storage pool that no volume and no unit is part of',
  request: z.object({ name: poolName }),
  response: z.object({}),
});

export const brokerLimits = endpoint('broker', 'limits', {
  description: 'How many backups of a client may run at once, where one has a limit or a backup',
  request: z.object({}),
  response: z.object({
    /** For clients without a limit of their own. */
    defaultJobsMax: z.int(),
    limits: z.array(clientLimitView),
  }),
});

export const brokerLimitPut = endpoint('broker', 'limit-put', {
  description: 'Sets how many backups of a client may run at once; null: as the default says',
  request: z.object({ client: clientName, jobsMax: z.int().min(1).max(1_000).nullable() }),
  response: z.object({ client: clientName, jobsMax: z.int() }),
});

export const brokerDrain = endpoint('broker', 'drain', {
  description: 'Has a media server or a storage unit take nothing new; what runs goes on',
  request: z
    .object({
      media: mediaName.optional(),
      unit: unitName.optional(),
      /** False takes it back. */
      drain: z.boolean().default(true),
    })
    .refine(
      ({ media, unit }) => (media === undefined) !== (unit === undefined),
      'name either media or unit',
    ),
  response: z.object({
    drained: z.boolean(),
    /** Jobs that still write there ... */
    writing: z.int(),
    /** ... and that only read; they, and new ones, are let through. */
    reading: z.int(),
  }),
});

export const brokerForget = endpoint('broker', 'forget', {
  description: 'Forgets a client or a media server that is down and will not come back',
  request: z
    .object({ client: clientName.optional(), media: mediaName.optional() })
    .refine(
      ({ client, media }) => (client === undefined) !== (media === undefined),
      'name either client or media',
    ),
  response: z.object({}),
});

const mediaSighting = z.object({ mediaId: mediaName, lastSeenAt: timestamp });

export const mediaDown = publicEvent('media', 'down', {
  description: 'A media server has not been heard of for a while; the id is its name',
  data: mediaSighting,
});

export const mediaUp = publicEvent('media', 'up', {
  description: 'A media server is new, or is back; the id is its name',
  data: mediaSighting,
});

export const mediaDrained = publicEvent('media', 'drained', {
  description: 'Somebody had a media server take nothing new, or took that back',
  data: z.object({ mediaId: mediaName, drained: z.boolean() }),
});

export const unitFull = publicEvent('unit', 'full', {
  description: 'A storage unit has reached its high water mark, or is below its low one again',
  data: z.object({ unit: unitName, mediaId: mediaName, full: z.boolean() }),
});
