import { z } from 'zod';
import { endpoint } from './contract.js';
import { jobHooks } from './jobs/hooks.js';
import {
  STREAMS_MAX,
  absolutePath,
  clientName,
  jobNumber,
  keyword,
  PAGE_ROWS_MAX,
  pageLimit,
  pathText,
  policyName,
  scheduleName,
  storable,
  timestamp,
  unitName,
} from './names.js';
import { RETENTION_LEVEL_MAX, retentionPeriod, schedule } from './schedule.js';

const CLIENTS_MAX = 1_000;
const SELECTIONS_MAX = 1_000;

/** The line of a selection list at which another stream begins. */
export const NEW_STREAM = 'NEW_STREAM';

const selection = storable(pathText).regex(
  /^\/|^NEW_STREAM$/,
  'a path must be absolute (start with "/"); the only other line allowed is NEW_STREAM',
);
const selections = z
  .array(selection)
  .min(1)
  .max(SELECTIONS_MAX)
  .describe(`absolute paths; a line ${NEW_STREAM} begins another stream`);
const excludes = z
  .array(storable(z.string().min(1).max(4_096)))
  .max(SELECTIONS_MAX)
  .describe('globs: with a slash against the whole path, without one against the last component');

const timeZone = z
  .string()
  .refine(isTimeZone, { error: 'a time zone is a name of the IANA list, such as "Europe/Berlin"' });

/** The rule for what failed: so many tries in so many hours, so many minutes between two. */
export const retryRule = z.strictObject({
  tries: z
    .int()
    .min(1)
    .max(10)
    .describe(
      'jobs of a schedule and client, or times that one is gone on with, within the period',
    ),
  periodHours: z.int().min(1).max(168).describe('the period in which tries are counted'),
  delayMinutes: z.int().min(1).max(1_440).describe('the pause between two tries'),
});

export const policySpec = z
  .strictObject({
    name: policyName.describe('unique in the cluster'),
    active: z.boolean().default(true).describe('an inactive policy runs nothing'),
    clients: z
      .array(clientName)
      .min(1)
      .max(CLIENTS_MAX)
      .overwrite((names) => [...new Set(names)])
      .describe('the hosts it backs up'),
    selections,
    excludes: excludes.default([]),
    perClient: z
      .record(
        clientName,
        z
          .strictObject({ selections: selections.optional(), excludes: excludes.optional() })
          .describe('of the client that is the key'),
      )
      .optional()
      .describe("in place of the policy's selections and excludes, for single clients"),
    multipleStreams: z
      .boolean()
      .default(false)
      .describe('a job for each selection, or for each part between NEW_STREAM lines'),
    schedules: z
      .array(schedule)
      .min(1)
      .max(32)
      .refine((all) => new Set(all.map(({ name }) => name)).size === all.length, {
        message: 'two schedules have the same name',
      })
      .default([{ name: 'full', type: 'full', retention: '14d' }])
      .describe('when it is backed up, and how'),
    effectiveFrom: timestamp
      .optional()
      .describe('nothing is due before, such as "2026-12-01T00:00:00Z"'),
    timeZone: timeZone.default('UTC').describe('in which its windows and calendars are meant'),
    storage: unitName.default('default').describe('storage unit, or group of them'),
    priority: z.int().min(0).max(99_999).default(0).describe('0 to 99999; higher goes first'),
    jobsMax: z.int().min(1).max(10_000).optional().describe('its jobs that may be active at once'),
    keyword: keyword.min(1).optional().describe('kept with its images, to find them by'),
    hooks: jobHooks
      .optional()
      .describe("scripts of the client's hook folder, run before and after a backup"),
    retry: retryRule.optional().describe("in place of the cluster's rule for what failed"),
    crossMountPoints: z.boolean().default(false).describe('whether other file systems are entered'),
    compressionLevel: z
      .int()
      .min(1)
      .max(19)
      .default(1)
      .describe('Zstandard level; 1 is the fastest'),
  })
  .superRefine((policy, context) => {
    const wrong = (path: (string | number)[], message: string) =>
      context.addIssue({ code: 'custom', path, message });
    for (const client of Object.keys(policy.perClient ?? {})) {
      if (policy.clients.includes(client)) continue;
      wrong(['perClient', client], `"${client}" is not one of this policy's clients; add it there`);
    }
    const lists: [(string | number)[], readonly string[] | undefined][] = [
      [['selections'], policy.selections],
      ...Object.entries(policy.perClient ?? {}).map(
        ([client, own]): [string[], string[] | undefined] => [
          ['perClient', client, 'selections'],
          own.selections,
        ],
      ),
    ];
    for (const [path, lines] of lists) {
      const message = lines && wrongStreams(lines, policy.multipleStreams);
      if (message !== undefined) wrong(path, message);
    }
  });
export type PolicySpec = z.infer<typeof policySpec>;

function wrongStreams(lines: readonly string[], multipleStreams: boolean): string | undefined {
  const marks = lines.filter((line) => line === NEW_STREAM).length;
  if (marks > 0 && !multipleStreams) {
    return `${NEW_STREAM} is allowed only where multipleStreams is true`;
  }
  if (marks === lines.length) return `there is no path, only ${NEW_STREAM}`;
  const ends = lines.at(-1) === NEW_STREAM;
  if (ends || lines.some((line, i) => line === NEW_STREAM && lines[i + 1] === NEW_STREAM)) {
    return `a path must follow each ${NEW_STREAM}`;
  }
  const streams = marks === 0 ? lines.length : marks + 1;
  if (multipleStreams && streams > STREAMS_MAX) {
    return `${streams} streams are too many; at most ${STREAMS_MAX}. Put several paths between two ${NEW_STREAM} lines`;
  }
  return undefined;
}

const knownZones = new Set<string>();

/** A name, not an offset such as `+01:00`, which knows no daylight-saving time. */
function isTimeZone(name: string): boolean {
  if (knownZones.has(name)) return true;
  if (!/^[A-Za-z]/.test(name)) return false;
  try {
    new Intl.DateTimeFormat('en', { timeZone: name });
    knownZones.add(name);
    return true;
  } catch {
    return false;
  }
}

export const dueEntry = z.object({
  policy: policyName,
  schedule: scheduleName,
  client: clientName,
  /** Null: never by itself. In the past: as soon as possible, since then. */
  dueAt: timestamp.nullable(),
  /** Why it is due then, why not yet, and in which start window. */
  reason: z.string(),
  /** The end of the window that it would start in, or of the days before an excluded one; else null. */
  closesAt: timestamp.nullable().default(null),
  /** A job of this policy and client that has not ended: nothing starts beside it. */
  running: jobNumber.nullable().default(null),
  /** The incomplete job that goes on at `dueAt`, in place of a new one. */
  goesOn: jobNumber.nullable().default(null),
  /** Scheduling is suspended: it does not start however long it is due. */
  suspended: z.boolean().default(false),
});
export type DueEntry = z.infer<typeof dueEntry>;

/** Something that is allowed but will not work as things are now. */
export const policyWarning = z.object({
  /** The place in the policy: `policy.clients[0]`. */
  field: z.string(),
  message: z.string(),
});
export type PolicyWarning = z.infer<typeof policyWarning>;

export const suspension = z.object({
  /** Null: of the whole cluster. */
  policy: policyName.nullable(),
  since: timestamp,
});
export type Suspension = z.infer<typeof suspension>;

const BACKSLASHES = /^(?:[^\\]|\\\\|\\x[0-9a-fA-F]{2})*$/s;

/** A policy that is new here: what was kept before this was looked at is still read. */
const newPolicy = policySpec.superRefine((policy, context) => {
  const lists = [
    { path: ['selections'], lines: policy.selections },
    ...Object.entries(policy.perClient ?? {}).map(([client, own]) => ({
      path: ['perClient', client, 'selections'],
      lines: own.selections ?? [],
    })),
  ];
  for (const { path, lines } of lists) {
    for (const [at, line] of lines.entries()) {
      if (BACKSLASHES.test(line)) continue;
      const message = 'a backslash in a path is written twice (\\\\), any other byte as \\xHH';
      context.addIssue({ code: 'custom', path: [...path, at], message });
    }
  }
});

export const policyPut = endpoint('policy', 'put', {
  description: 'Creates a policy, or replaces the one of that name',
  request: z.object({
    policy: newPolicy,
    create: z.boolean().default(false),
    /** Whether the cluster is asked for what the policy names, as `policy.check` does. */
    check: z.boolean().default(false),
  }),
  response: z.object({
    policy: policySpec,
    created: z.boolean(),
    warnings: z.array(policyWarning).default([]),
  }),
});

export const policyCheck = endpoint('policy', 'check', {
  description:
    'Says what is wrong with a policy, and what it names that is not there; keeps nothing',
  request: z.object({ policy: newPolicy }),
  response: z.object({
    policy: policySpec,
    /** Whether there is one of that name. */
    exists: z.boolean(),
    warnings: z.array(policyWarning),
  }),
});

export const policyGet = endpoint('policy', 'get', {
  description: 'One policy in full',
  request: z.object({ name: policyName }),
  response: z.object({ policy: policySpec }),
});

export const policyList = endpoint('policy', 'list', {
  description: 'All policies, by name, and whether scheduling is suspended',
  request: z.object({
    limit: pageLimit.default(PAGE_ROWS_MAX),
    /** The `next` of the page before. */
    after: policyName.optional(),
  }),
  response: z.object({
    /** As many as were asked for, or as fit into one message. */
    policies: z.array(policySpec),
    /** How many there are in all pages. */
    total: z.int().default(0),
    /** Where the next page begins; null on the last one. */
    next: policyName.nullable().default(null),
    suspensions: z.array(suspension).default([]),
  }),
});

export const policyDelete = endpoint('policy', 'delete', {
  description: 'Removes a policy; its images stay',
  request: z.object({ name: policyName }),
  response: z.object({}),
});

const startedJobs = z.object({
  jobs: z.array(z.object({ job: jobNumber, client: clientName })),
  /** Clients for which no job could be made, where it could for others. */
  refused: z
    .array(z.object({ client: clientName, status: z.int(), message: z.string() }))
    .default([]),
});

export const policyRun = endpoint('policy', 'run', {
  description: 'Starts a schedule of a policy now, for all of its clients or one',
  request: z.object({
    name: policyName,
    schedule: scheduleName.optional(),
    client: clientName.optional(),
    /** A request that is sent again with the same id makes no second job of any client. */
    requestId: z.uuid().optional(),
  }),
  response: startedJobs,
});

export const policyUserBackup = endpoint('policy', 'user-backup', {
  description:
    'Starts a backup for the user of a client, where a window of a user schedule is open',
  request: z.object({
    client: clientName,
    /** Default: the first active policy with a user schedule for the client that is open now. */
    policy: policyName.optional(),
    schedule: scheduleName.optional(),
    /** Default: those of the policy. */
    selections: z.array(absolutePath).min(1).max(SELECTIONS_MAX).optional(),
    /** A request that is sent again with the same id makes no second job. */
    requestId: z.uuid().optional(),
  }),
  response: z.object({ job: jobNumber, policy: policyName, schedule: scheduleName }),
});

/** `<due time or "never"> <policy> <schedule> <client>`: the last entry of a page. */
const dueCursor = z
  .string()
  .max(300)
  .regex(/^(never|\d{4}-\d\d-\d\dT[\d:.]+Z) \S+ \S+ \S+$/, 'pass on `next` as it was given');

export const policyDue = endpoint('policy', 'due', {
  description: 'When each schedule of each client is due next, and why; or what is due by a time',
  request: z.object({
    /** Only what is due by then: not done yet where it has passed, coming up where it has not. */
    at: timestamp.optional(),
    policy: policyName.optional(),
    client: clientName.optional(),
    limit: pageLimit.default(PAGE_ROWS_MAX),
    /** The `next` of the page before. */
    after: dueCursor.optional(),
  }),
  response: z.object({
    /** The soonest first, those that run only by hand last. */
    due: z.array(dueEntry),
    /** How many there are in all pages. */
    total: z.int().default(0),
    /** Where the next page begins; null on the last one. */
    next: z.string().nullable().default(null),
    suspensions: z.array(suspension).default([]),
  }),
});

const suspensionAnswer = z.object({ suspensions: z.array(suspension) });

export const policySuspendScheduling = endpoint('policy', 'suspend-scheduling', {
  description: 'Starts nothing by itself any more, in the whole cluster or of one policy',
  request: z.object({ policy: policyName.optional() }),
  response: suspensionAnswer,
});

export const policyResumeScheduling = endpoint('policy', 'resume-scheduling', {
  description: 'Takes back a suspend-scheduling, of the whole cluster or of one policy',
  request: z.object({ policy: policyName.optional() }),
  response: suspensionAnswer,
});

export const retentionLevel = z.object({
  level: z.int().min(0).max(RETENTION_LEVEL_MAX),
  period: retentionPeriod,
});
export type RetentionLevel = z.infer<typeof retentionLevel>;

export const policyRetentionLevels = endpoint('policy', 'retention-levels', {
  description: 'The periods that the retention levels 0 to 24 stand for',
  request: z.object({}),
  response: z.object({
    levels: z.array(retentionLevel.extend({ isDefault: z.boolean().default(true) })),
  }),
});

export const policyRetentionLevelPut = endpoint('policy', 'retention-level-put', {
  description: 'Changes what a retention level stands for; images that are there keep their date',
  request: retentionLevel,
  response: z.object({ level: retentionLevel }),
});
