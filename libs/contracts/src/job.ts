import { z } from 'zod';
import { waitReason } from './broker/wait-reason.js';
import { endpoint } from './contract.js';
import { publicEvent } from './event.js';
import { jobHooks } from './jobs/hooks.js';
import {
  STREAMS_MAX,
  absolutePath,
  clientName,
  imageId,
  imageKind,
  jobNumber,
  keyword,
  mediaName,
  pageLimit,
  pathText,
  policyName,
  poolName,
  scheduleName,
  storable,
  streamsPerDrive,
  timestamp,
  unitName,
  withoutOthers,
} from './names.js';
import { retentionPeriod } from './schedule.js';

export const jobState = z.enum([
  'queued',
  'active',
  'waiting-for-retry',
  'suspended',
  'incomplete',
  'done',
]);
export type JobState = z.infer<typeof jobState>;

export const jobType = z.enum(['backup', 'restore', 'duplicate', 'verify']);
export type JobType = z.infer<typeof jobType>;

/** Who had the job made: somebody at once, the scheduler, or a user of the client. */
export const jobOrigin = z.enum(['immediate', 'scheduled', 'user']);
export type JobOrigin = z.infer<typeof jobOrigin>;

/** What a job that does not move waits for; empty for one that moves. */
export const jobWaitReason = z.enum([
  ...waitReason.options,
  'start-window',
  'suspended',
  'children',
  '',
]);
export type JobWaitReason = z.infer<typeof jobWaitReason>;

export const jobPriority = z.int().min(0).max(99_999);

/** The policy name that backups bear which no policy asked for (`holdfast backup PATH`). */
export const ON_DEMAND_POLICY = 'on-demand';

/** Attempts of a job whose failure may pass: a broken connection, a process that died. */
export const TRIES_DEFAULT = 3;
/** A duplication waits out outages of the link between sites; so it tries for longer. */
const DUPLICATE_TRIES_DEFAULT = 10;

/** A backup with everything resolved: what to read on which client, and where it goes. */
export const backupRequest = withoutOthers({
  policy: policyName.default(ON_DEMAND_POLICY),
  schedule: scheduleName.default('user'),
  client: clientName,
  kind: imageKind.default('full'),
  /** A full that media servers make of the last one and what came since; only with kind `full`. */
  synthetic: z.boolean().optional(),
  selections: z.array(absolutePath).min(1).max(1_000),
  excludes: z
    .array(storable(z.string().min(1).max(4_096)))
    .max(1_000)
    .default([]),
  storage: unitName.default('default'),
  retention: retentionPeriod.default('14d'),
  priority: jobPriority.default(0),
  crossMountPoints: z.boolean().default(false),
  compressionLevel: z.int().min(1).max(19).default(1),
  /** Attempts in all; a later one goes on where the catalog has the image complete up to. */
  tries: z.int().min(1).max(100).default(TRIES_DEFAULT),
  /** Kept with the image: `holdfast images --keyword` finds it. */
  keyword: keyword.optional(),
  /** Run on the client around each attempt. */
  hooks: jobHooks.optional(),
  /** A request that is sent again with the same id makes no second job. */
  requestId: z.uuid().optional(),
  /** End of the start window: a job that is queued still then ends with 196. */
  closesAt: timestamp.optional(),
  /** Jobs of this policy that may be active at once. */
  policyJobsMax: z.int().min(1).max(10_000).optional(),
  /** Streams on the drive that it gets, its own included. */
  multiplexing: streamsPerDrive.optional(),
  /** More than one list: a parent job with a child for each, which backs up these selections. */
  streams: z.array(z.array(absolutePath).min(1).max(1_000)).min(1).max(STREAMS_MAX).optional(),
  origin: jobOrigin.default('immediate'),
});
export type BackupRequest = z.infer<typeof backupRequest>;

/** Either one image (with what it builds on), or a client's files as they were at a time. */
export const restoreRequest = withoutOthers({
  source: z.union(
    [
      withoutOthers({ imageId, exact: z.boolean().default(false) }),
      withoutOthers({ client: clientName, at: timestamp, policy: policyName.optional() }),
    ],
    {
      error:
        'a source is {"imageId": ...}, and "exact" if wanted; or {"client": ..., "at": ...} with a ' +
        'UTC time such as "2026-01-31T18:00:00Z", and "policy" if wanted',
    },
  ),
  /** Paths to restore with all below them; none means everything. */
  paths: z.array(pathText).max(1_000).default([]),
  /** The client to restore to; default: the one that was backed up. */
  toClient: clientName.optional(),
  destination: absolutePath,
  overwrite: z.boolean().default(false),
  requestId: z.uuid().optional(),
});
export type RestoreRequest = z.infer<typeof restoreRequest>;

/** A further copy of an image in another pool; or what copy `copy` lacks, from the other copies. */
export const duplicateRequest = withoutOthers({
  imageId,
  /** The storage pool that the copy goes to. */
  toPool: poolName,
  /** To complete or repair a copy that is there already. */
  copy: z.int().min(1).max(10).optional(),
  priority: jobPriority.default(0),
  tries: z.int().min(1).max(100).default(DUPLICATE_TRIES_DEFAULT),
  requestId: z.uuid().optional(),
});
export type DuplicateRequest = z.infer<typeof duplicateRequest>;

/** Reads an image's fragments where they lie and compares them with their digests. */
export const verifyRequest = withoutOthers({
  imageId,
  /** All copies, if left out. */
  copy: z.int().min(1).max(10).optional(),
  requestId: z.uuid().optional(),
});
export type VerifyRequest = z.infer<typeof verifyRequest>;

/** Of a result's message; what is longer is cut. With all else a job has to fit into one message of the broker. */
export const MESSAGE_CHARACTERS_MAX = 4_000;
const resultMessage = storable(z.string().max(MESSAGE_CHARACTERS_MAX));

const progressed = z.object({
  files: z.int().nonnegative(),
  bytes: z.int().nonnegative(),
  storedBytes: z.int().nonnegative(),
  currentPath: storable(z.string().max(16_384)),
  /** Times that the reader waited for an empty buffer, and the sender for a full one. */
  waitedForEmpty: z.int().nonnegative(),
  waitedForFull: z.int().nonnegative(),
  /** Of jobs that count them (duplicate, verify); 0 of 0 else. */
  fragments: z.int().nonnegative(),
  fragmentsTotal: z.int().nonnegative(),
  /** What a participant waits for, in words (`volume WEEKLY1`); empty when it goes on. */
  waitingFor: storable(z.string().max(200)).optional(),
});

export const jobProgress = progressed.extend({
  fragments: progressed.shape.fragments.default(0),
  fragmentsTotal: progressed.shape.fragmentsTotal.default(0),
});
export type JobProgress = z.infer<typeof jobProgress>;

export const jobView = z.object({
  job: jobNumber,
  /** Rises with each change: of two views of a job the higher one is the later. */
  revision: z.int().nonnegative().default(0),
  type: jobType,
  state: jobState,
  /** Null until it is done. */
  status: z.int().nullable(),
  statusText: z.string(),
  /** One line that says more than the status, where there is more to say. */
  message: z.string(),
  policy: z.string(),
  schedule: z.string(),
  client: z.string(),
  kind: imageKind.nullable(),
  imageId: z.string().nullable(),
  storage: z.string().nullable(),
  mediaId: z.string().nullable(),
  attempt: z.int(),
  /** When a job that failed for a reason that may pass begins its next attempt; else null. */
  retryAt: timestamp.nullable().default(null),
  /**
   * Of a job that is incomplete because its tries are used up: when the last of them failed, and the
   * status with which it ends if it is not gone on with. Null for all others.
   */
  outOfTries: z.object({ failedAt: timestamp, status: z.int() }).nullable().default(null),
  /** What an active job does now, what a queued one waits for. */
  operation: z.string(),
  /** The same as a word for programs; empty for a job that moves or has ended. */
  waitReason: jobWaitReason.default(''),
  /** The job whose child it is. */
  parent: jobNumber.nullable().default(null),
  /** Which of its parent's streams it is, or is once more, from 1; null for others. */
  stream: z.int().nullable().default(null),
  /** How many children it has; 0 for all but parents. */
  children: z.int().nonnegative().default(0),
  origin: jobOrigin.default('immediate'),
  priority: z.int().default(0),
  /** Attempts that it may have in all, before somebody resumes it. */
  tries: z.int().default(1),
  retention: z.string().nullable().default(null),
  keyword: z.string().default(''),
  /** What the last good backup of the same held, to tell how far this one is; null if unknown. */
  expected: z.object({ files: z.int(), bytes: z.int() }).nullable().default(null),
  createdAt: timestamp,
  startedAt: timestamp.nullable(),
  endedAt: timestamp.nullable(),
  progress: jobProgress,
});
export type JobView = z.infer<typeof jobView>;

/** Longer lines of a job's log are cut. */
export const LINE_CHARACTERS_MAX = 20_000;

export const logLine = z.object({
  at: timestamp,
  attempt: z.int(),
  /** Which process says so: `jobs`, `media`, `agent` ... */
  process: storable(z.string().max(64)),
  /** On which host it runs; unknown for lines of earlier releases. */
  host: storable(z.string().max(255)).optional(),
  pid: z.int(),
  severity: z.enum(['info', 'warning', 'error']),
  text: storable(z.string().max(LINE_CHARACTERS_MAX)),
});
export type LogLine = z.infer<typeof logLine>;

/** How one participant's part of a job ended. */
export const taskResult = z.object({
  status: z.int().nonnegative(),
  message: resultMessage,
  kind: imageKind.optional(),
  fragments: z.int().nonnegative().optional(),
  files: z.int().nonnegative().optional(),
  bytes: z.int().nonnegative().optional(),
  /** The agent has no checkpoint for this point: only a new image can be made. */
  cannotResume: z.boolean().optional(),
  /** What failed behind a backup that is whole: the job ends with that, and keeps its image. */
  afterwards: z.object({ status: z.int().nonnegative(), message: resultMessage }).optional(),
});
export type TaskResult = z.infer<typeof taskResult>;

/** Lines of one report; a participant with more sends several. */
export const REPORT_LINES_MAX = 100;

export const jobsReport = endpoint('jobs', 'report', {
  description: 'A media server or an agent reports on its part of a job: log, progress, end',
  request: z.object({
    job: jobNumber,
    attempt: z.int().min(1),
    from: z.enum(['media', 'agent']),
    /** The instance that reports, one of several in a job with several. */
    instance: storable(z.string().max(255)),
    lines: z
      .array(logLine.omit({ attempt: true }))
      .max(REPORT_LINES_MAX)
      .default([]),
    /** Only what has changed: nothing that is left out becomes 0. */
    progress: progressed.partial().optional(),
    result: taskResult.optional(),
  }),
  /** `goOn` is false when the attempt is over: the participant stops. */
  response: z.object({ goOn: z.boolean() }),
});

export const jobsBackup = endpoint('jobs', 'backup', {
  description: 'Submits a backup of paths on a client',
  request: backupRequest,
  response: z.object({ job: jobNumber }),
});

export const jobsRestore = endpoint('jobs', 'restore', {
  description: 'Submits a restore of an image, or of a client as it was at a time',
  request: restoreRequest,
  response: z.object({ job: jobNumber }),
});

export const jobsDuplicate = endpoint('jobs', 'duplicate', {
  description: 'Submits the duplication of an image into another storage pool',
  request: duplicateRequest,
  response: z.object({ job: jobNumber }),
});

export const jobsVerify = endpoint('jobs', 'verify', {
  description: 'Submits the verification of an image: reads its fragments, compares digests',
  request: verifyRequest,
  response: z.object({ job: jobNumber }),
});

const jobFilter = {
  state: jobState.optional(),
  type: jobType.optional(),
  client: clientName.optional(),
  policy: policyName.optional(),
  schedule: scheduleName.optional(),
  /** Of jobs that are done: this status, or `failed` for all above 1. */
  status: z
    .union([z.int().nonnegative(), z.literal('failed')], {
      error: 'a status is a whole number from 0, or "failed" for all above 1',
    })
    .optional(),
  /** Children of this job. */
  parent: jobNumber.optional(),
  /** Made at this instant or later ... */
  since: timestamp.optional(),
  /** ... and before this one. */
  until: timestamp.optional(),
  /** Storage unit, or pool of a duplication. */
  storage: unitName.optional(),
  mediaId: mediaName.optional(),
};

export const jobsList = endpoint('jobs', 'list', {
  description: 'Jobs, the newest first',
  request: withoutOthers({ ...jobFilter, before: jobNumber.optional(), limit: pageLimit }),
  response: z.object({
    jobs: z.array(jobView),
    /** There are further ones, before the last of these. */
    more: z.boolean().default(false),
  }),
});

/** One attempt of a job that is over. */
export const jobAttempt = z.object({
  attempt: z.int(),
  startedAt: timestamp.nullable(),
  endedAt: timestamp,
  status: z.int(),
  message: z.string(),
  mediaId: z.string().nullable(),
});
export type JobAttempt = z.infer<typeof jobAttempt>;

export const jobsGet = endpoint('jobs', 'get', {
  description: 'One job with its log',
  request: z.object({
    job: jobNumber,
    log: z.boolean().default(true).describe('false: no lines of it'),
    logAfter: z.int().default(0).describe('skip the first lines'),
  }),
  response: z.object({
    job: jobView,
    log: z.array(logLine),
    logLines: z.int(),
    /** Attempts that are over, the last hundred. */
    attempts: z.array(jobAttempt).default([]),
  }),
});

export const jobsCancel = endpoint('jobs', 'cancel', {
  description: 'Ends a job with status 150; a parent with its children',
  request: z.object({ job: jobNumber }),
  response: z.object({ job: jobView }),
});

export const jobQueued = publicEvent('job', 'queued', {
  description: 'A job was made and waits for its resources',
  data: jobView,
});
export const jobActive = publicEvent('job', 'active', {
  description: 'A job has its resources and runs',
  data: jobView,
});
export const jobRetrying = publicEvent('job', 'retrying', {
  description: 'An attempt of a job has failed; another one will begin',
  data: jobView,
});
export const jobSuspended = publicEvent('job', 'suspended', {
  description: 'A job was stopped and waits to be resumed',
  data: jobView,
});
export const jobResumed = publicEvent('job', 'resumed', {
  description: 'A job that was suspended or incomplete goes on',
  data: jobView,
});
export const jobIncomplete = publicEvent('job', 'incomplete', {
  description: 'A job is out of tries, and what it has committed waits to be gone on with',
  data: jobView,
});
export const jobProgressed = publicEvent('job', 'progressed', {
  description:
    'A running job has come further (at most one a second); for who listens, kept nowhere',
  data: jobView,
});
export const jobDone = publicEvent('job', 'done', {
  description: 'A job has ended; its status says how',
  data: jobView,
});
