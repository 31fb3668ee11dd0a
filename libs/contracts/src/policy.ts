import { z } from 'zod';
import { endpoint } from './contract.js';
import {
  absolutePath,
  clientName,
  imageKind,
  jobNumber,
  PAGE_ROWS_MAX,
  pageLimit,
  policyName,
  scheduleName,
  timestamp,
  unitName,
} from './names.js';

/** A length of time as people write it: `30m`, `24h`, `7d`, `2w`. */
export const duration = z
  .string()
  .regex(/^[1-9]\d{0,4}[mhdw]$/, 'a length of time is a number and m, h, d or w, such as "24h"');

export const schedule = z.strictObject({
  name: scheduleName,
  type: imageKind,
  /** Due that long after the last good backup of this schedule; without it, only by hand. */
  frequency: duration.optional(),
  retention: duration.default('14d'),
});
export type Schedule = z.infer<typeof schedule>;

const CLIENTS_MAX = 1_000;
const SELECTIONS_MAX = 1_000;

export const policySpec = z.strictObject({
  name: policyName,
  active: z.boolean().default(true),
  clients: z.array(clientName).min(1).max(CLIENTS_MAX),
  selections: z.array(absolutePath).min(1).max(SELECTIONS_MAX),
  /** Globs: with a slash against the whole path, without one against the last component. */
  excludes: z.array(z.string().min(1).max(4_096)).max(SELECTIONS_MAX).default([]),
  schedules: z
    .array(schedule)
    .min(1)
    .max(32)
    .refine((all) => new Set(all.map(({ name }) => name)).size === all.length, {
      message: 'two schedules have the same name',
    })
    .default([{ name: 'full', type: 'full', retention: '14d' }]),
  /** Storage unit. */
  storage: unitName.default('default'),
  /** 0 to 99999; higher goes first. */
  priority: z.int().min(0).max(99_999).default(0),
  crossMountPoints: z.boolean().default(false),
  /** Zstandard level; 1 is the fastest. */
  compressionLevel: z.int().min(1).max(19).default(1),
});
export type PolicySpec = z.infer<typeof policySpec>;

export const dueEntry = z.object({
  policy: policyName,
  schedule: scheduleName,
  client: clientName,
  /** Null: only by hand. */
  dueAt: timestamp.nullable(),
  reason: z.string(),
});
export type DueEntry = z.infer<typeof dueEntry>;

export const policyPut = endpoint('policy', 'put', {
  description: 'Creates a policy, or replaces the one of that name',
  request: z.object({ policy: policySpec, create: z.boolean().default(false) }),
  response: z.object({ policy: policySpec, created: z.boolean() }),
});

export const policyGet = endpoint('policy', 'get', {
  description: 'One policy in full',
  request: z.object({ name: policyName }),
  response: z.object({ policy: policySpec }),
});

export const policyList = endpoint('policy', 'list', {
  description: 'All policies, by name',
  request: z.object({}),
  response: z.object({ policies: z.array(policySpec) }),
});

export const policyDelete = endpoint('policy', 'delete', {
  description: 'Removes a policy; its images stay',
  request: z.object({ name: policyName }),
  response: z.object({}),
});

export const policyRun = endpoint('policy', 'run', {
  description: 'Starts a schedule of a policy now, for all of its clients or one',
  request: z.object({
    name: policyName,
    schedule: scheduleName.optional(),
    client: clientName.optional(),
  }),
  response: z.object({
    jobs: z.array(z.object({ job: jobNumber, client: clientName })),
    /** Clients for which no job could be made, where it could for others. */
    refused: z
      .array(z.object({ client: clientName, status: z.int(), message: z.string() }))
      .default([]),
  }),
});

export const policyDue = endpoint('policy', 'due', {
  description: 'When each schedule of each client is due next, and why',
  request: z.object({
    policy: policyName.optional(),
    client: clientName.optional(),
    limit: pageLimit.default(PAGE_ROWS_MAX),
  }),
  response: z.object({
    /** The soonest first, those that run only by hand last. */
    due: z.array(dueEntry),
    /** How many there are in all. */
    total: z.int().default(0),
  }),
});
