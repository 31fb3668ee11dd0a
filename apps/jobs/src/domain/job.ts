import type { Allocation } from '#contracts/broker.js';
import type { WaitReason } from '#contracts/broker/wait-reason.js';
import type { copyBegin } from '#contracts/catalog/copy.js';
import type { ResponseOf } from '#contracts/contract.js';
import type {
  BackupRequest,
  DuplicateRequest,
  JobProgress,
  JobState,
  RestoreRequest,
  TaskResult,
  VerifyRequest,
} from '#contracts/job.js';
import type { ImageDetails, ImageKind } from '#contracts/names.js';

/** What the catalog answered when the job's image was made, or gone on with. */
export interface BegunImage {
  readonly imageId: string;
  readonly backupTime: number;
  readonly copy: number;
  readonly copyAttempt: number;
  readonly kind: ImageKind;
  readonly baseImageId: string | null;
  readonly brokenBase?: string | undefined;
  readonly baseListing?: string | undefined;
  readonly keepListings: readonly string[] | null;
  readonly nextNumber: number;
  readonly archiveOffset: number;
  readonly storedBytes?: number | undefined;
  readonly details: ImageDetails;
}

/** What the catalog answered when the job's copy was begun, or gone on with. */
export type BegunCopy = ResponseOf<typeof copyBegin>;

export interface ImageOfChain {
  readonly imageId: string;
  readonly kind: ImageKind;
  readonly media: readonly string[];
  /** Sets of servers of which one each is enough; missing in jobs of earlier releases. */
  readonly anyOf?: readonly (readonly string[])[];
  /** Which stream of the run it belongs to, counted from 0; missing where there is one only. */
  readonly stream?: number;
}

/**
 * Where a job is on its way. Each step has one thing that the job manager asks for or waits for;
 * doing it twice is harmless, so after a crash a job goes on from the step that was saved.
 *
 * backup:    allocating, beginning, running, verifying, releasing, done; planning first if it is synthetic
 * duplicate: planning, allocating, beginning, running, verifying, releasing, done
 * restore:   planning, allocating, beginning, running, releasing, done
 * verify:    planning, allocating, beginning, running, releasing, done
 * parent:    gathering, done
 *
 * An attempt that fails for a reason that may pass goes to retrying instead of releasing: resources
 * are given back at once, and when its time has come the old media server is drained; then the next
 * attempt is at the first step. Without tries it goes to weighing: what is sealed is brought in, and
 * if the catalog has something of it the job is incomplete, and can be resumed. A job is suspended
 * by command, from any step before releasing; it is resumed through retrying, as after a failure.
 */
export type Step =
  | 'planning'
  | 'allocating'
  | 'beginning'
  | 'running'
  | 'verifying'
  | 'retrying'
  | 'weighing'
  | 'suspended'
  | 'incomplete'
  | 'gathering'
  | 'releasing'
  | 'done';

/** The end that a job is heading for once it is decided. */
export interface Outcome {
  readonly status: number;
  readonly message: string;
}

/** How long a job waits before its next attempt, and how often it asks for the drain. */
export interface Backoff {
  readonly firstMs: number;
  /** Each further wait is so many times the one before ... */
  readonly factor: number;
  /** ... up to this. */
  readonly maxMs: number;
  /** Answers that a media server is given to bring in what it has sealed. */
  readonly drainsMax: number;
}

/** The copy that was being written, with where. */
export interface Written {
  readonly mediaId: string;
  readonly imageId: string;
  readonly copy: number;
}

/** What waits for the next attempt, or for the decision whether one is worth it. */
export interface Retry {
  /** When it begins. */
  readonly at: Date;
  /** What its media server may still bring in; null where nothing was written. */
  readonly drain: Written | null;
  /** Answers of the drain so far, timeouts included. */
  readonly drains: number;
  /** The broker has taken back what the last attempt held or waited for. */
  readonly isLetGo: boolean;
}

/** Why a job stands still until somebody resumes it, or its time is over. */
export interface Pause {
  readonly since: Date;
  /** How the job ends if nobody resumes it. */
  readonly outcome: Outcome;
  readonly drain: Written | null;
  /** The broker has taken back what the last attempt held or waited for. */
  readonly isLetGo: boolean;
  /** Everything was written already: the job goes on with being counted, in the same attempt. */
  readonly wasVerifying: boolean;
}

/** How a job that is incomplete has failed. */
export interface OutOfTries {
  /** When the last attempt that did something ended. */
  readonly failedAt: Date;
  readonly status: number;
}

/** An attempt that is over. */
export interface EndedAttempt {
  readonly attempt: number;
  /** When its tasks were sent; null if it did not come so far. */
  readonly startedAt: Date | null;
  readonly endedAt: Date;
  readonly status: number;
  readonly message: string;
  readonly mediaId: string | null;
}

/** What a job that has ended could not give back, because whoever takes it did not answer. */
export type Debt = 'image' | 'pins' | 'resources';

interface JobBase {
  readonly job: number;
  /** How often it was saved. */
  readonly revision: number;
  /** The job whose child it is; and which of its streams, from 1, or of another job's once more. */
  readonly parent: number | null;
  readonly stream: number | null;
  readonly priority: number;
  readonly attempt: number;
  /** Attempts that failed for a reason that may pass, since the job was made or resumed. */
  readonly failures: number;
  readonly backoff: Backoff;
  readonly step: Step;
  readonly outcome: Outcome | null;
  readonly allocation: Allocation | null;
  /** When that was granted or its lease prolonged last; null if unknown. */
  readonly leasedAt: Date | null;
  /** What a queued job waits for, or the catalog for a verifying one; else empty. */
  readonly waitsFor: string;
  /** What the broker says that a queued job waits for. */
  readonly wait: WaitReason | '';
  /** Who does not answer the question of this step; empty if all is well. */
  readonly trouble: string;
  readonly startedAt: Date | null;
  readonly endedAt: Date | null;
  /** When this attempt's tasks were sent. */
  readonly runningSince: Date | null;
  readonly releasingSince: Date | null;
  /** Of a job at step retrying or weighing; else null. */
  readonly retry: Retry | null;
  /** Of a job at step suspended or incomplete; else null. */
  readonly pause: Pause | null;
  /** The last hundred. */
  readonly attempts: readonly EndedAttempt[];
  /** Of a job that is done. */
  readonly owed: readonly Debt[];
  readonly progress: JobProgress;
  /** What the last good backup of the same held; null if unknown. */
  readonly expected: {
    readonly files: number;
    readonly bytes: number;
    /** Missing in jobs of earlier releases. */
    readonly storedBytes?: number | undefined;
  } | null;
  /** When each participant last spoke, in ms since 1970; absent: not yet in this attempt. */
  readonly heard: Readonly<Record<string, number>>;
  /** How each participant's part of this attempt ended. */
  readonly results: Readonly<Record<string, TaskResult>>;
}

export interface BackupJob extends JobBase {
  readonly type: 'backup';
  readonly request: BackupRequest;
  /** Of one of several streams: the parent of the run, and how many streams that had. */
  readonly run: { readonly parent: number; readonly streams: number } | null;
  /** Of this attempt or, until it has begun, of the one before. */
  readonly image: BegunImage | null;
  /** The agent could not go on: this attempt makes a new image. While it runs: it was to, and did not. */
  readonly fresh: boolean;
  /** Of a synthetic full, once it is planned: what it is made from, oldest first. Else empty. */
  readonly chain: readonly ImageOfChain[];
  /** Since when the catalog has waited for the same; null unless verifying. */
  readonly verifyingSince: Date | null;
}

export interface RestoreJob extends JobBase {
  readonly type: 'restore';
  readonly request: RestoreRequest;
  /** The client that writes the files; known once the job is planned. */
  readonly toClient: string | null;
  readonly chain: readonly ImageOfChain[];
  /** Streams of the run that are not restored, since no image of them is there; absent where none are. */
  readonly missingStreams?: number;
}

export interface DuplicateJob extends JobBase {
  readonly type: 'duplicate';
  readonly request: DuplicateRequest;
  /** The media servers that hold the image. */
  readonly sources: readonly string[];
  /** Of this attempt or, until it has begun, of the one before. */
  readonly copy: BegunCopy | null;
  /** Since when the catalog has waited for the same; null unless verifying. */
  readonly verifyingSince: Date | null;
}

export interface VerifyJob extends JobBase {
  readonly type: 'verify';
  readonly request: VerifyRequest;
  /** The media servers that hold the image. */
  readonly sources: readonly string[];
  /** What each media server has said of its progress. */
  readonly parts: Readonly<Record<string, Partial<JobProgress>>>;
}

/** A backup of several streams: each is a job of its own, and this one gathers how they end. */
export interface ParentJob extends JobBase {
  readonly type: 'parent';
  readonly request: BackupRequest;
  readonly children: number;
  /** What its open children are, taken together. */
  readonly childState: JobState;
  /** Of the child that failed last, where the children are incomplete; missing in earlier releases. */
  readonly outOfTries?: OutOfTries | null;
  /** Somebody has cancelled the whole. */
  readonly isCancelled: boolean;
}

export type Job = BackupJob | RestoreJob | DuplicateJob | VerifyJob | ParentJob;

export const NO_PROGRESS: JobProgress = {
  files: 0,
  bytes: 0,
  storedBytes: 0,
  currentPath: '',
  waitedForEmpty: 0,
  waitedForFull: 0,
  fragments: 0,
  fragmentsTotal: 0,
};

/** The client whose agent works for this job or, without an agent, whose image it is. */
export function clientOf(job: Job): string {
  switch (job.type) {
    case 'backup':
    case 'parent':
      return job.request.client;
    case 'restore':
      return job.toClient ?? job.request.toClient ?? sourceClient(job.request);
    case 'duplicate':
    case 'verify':
      return clientOfImage(job.request.imageId);
    default:
      return job satisfies never;
  }
}

export function sourceClient(request: RestoreRequest): string {
  return 'client' in request.source ? request.source.client : clientOfImage(request.source.imageId);
}

/** The image that a job writes or reads, once that is known. */
export function imageOf(job: Job): string | null {
  switch (job.type) {
    case 'parent':
      return null;
    case 'backup':
      return job.image?.imageId ?? null;
    case 'restore': {
      const { source } = job.request;
      return job.chain.at(-1)?.imageId ?? ('imageId' in source ? source.imageId : null);
    }
    case 'duplicate':
    case 'verify':
      return job.request.imageId;
    default:
      return job satisfies never;
  }
}

/** A backup that media servers make of earlier images: its client's agent has no part in it. */
export function isSynthetic(job: Job): job is BackupJob {
  return job.type === 'backup' && job.request.synthetic === true;
}

/** Attempts that a job has in all. */
export function triesOf(job: Job): number {
  switch (job.type) {
    case 'backup':
    case 'duplicate':
      return job.request.tries;
    case 'verify':
      return VERIFY_TRIES;
    case 'parent':
    case 'restore':
      // Whoever asked for it looks at what it has written before it is repeated.
      return 1;
    default:
      return job satisfies never;
  }
}

const VERIFY_TRIES = 2;

/** The same job, changed in fields that every type has. */
export function changed<J extends Job>(job: J, change: Partial<JobBase>): J {
  return { ...job, ...change };
}

/** When the start window of a job closes; null for jobs without one. */
export function closesAt(job: Job): Date | null {
  if (job.type !== 'backup' || job.request.closesAt === undefined) return null;
  return new Date(job.request.closesAt);
}

/** An image's name starts with its client's. */
function clientOfImage(imageId: string): string {
  return imageId.replace(/_\d+$/, '');
}
