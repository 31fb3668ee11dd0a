import type { Allocation } from '#contracts/broker.js';
import type { copyBegin } from '#contracts/catalog/copy.js';
import type { ResponseOf } from '#contracts/contract.js';
import type {
  BackupRequest,
  DuplicateRequest,
  JobProgress,
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
  readonly keepListings: readonly string[];
  readonly nextNumber: number;
  readonly archiveOffset: number;
  readonly details: ImageDetails;
}

/** What the catalog answered when the job's copy was begun, or gone on with. */
export type BegunCopy = ResponseOf<typeof copyBegin>;

export interface ChainImage {
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
 * backup:    allocating, beginning, running, verifying, releasing, done
 * duplicate: planning, allocating, beginning, running, verifying, releasing, done
 * restore:   planning, allocating, beginning, running, releasing, done
 * verify:    planning, allocating, beginning, running, releasing, done
 *
 * An attempt that fails for a reason that may pass goes to retrying instead of releasing: resources
 * are given back at once, and when its time has come the old media server is drained; then the next
 * attempt is at the first step.
 */
export type Step =
  | 'planning'
  | 'allocating'
  | 'beginning'
  | 'running'
  | 'verifying'
  | 'retrying'
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

/** What waits for the next attempt. */
export interface Retry {
  /** When it begins. */
  readonly at: Date;
  /** The copy that was being written, with where; null where nothing was. */
  readonly drain: {
    readonly mediaId: string;
    readonly imageId: string;
    readonly copy: number;
  } | null;
  /** Answers of the drain so far, timeouts included. */
  readonly drains: number;
}

interface JobBase {
  readonly job: number;
  readonly attempt: number;
  /** Attempts that failed for a reason that may pass. */
  readonly failures: number;
  readonly backoff: Backoff;
  readonly step: Step;
  readonly outcome: Outcome | null;
  readonly allocation: Allocation | null;
  /** What a queued job waits for, or the catalog for a verifying one; else empty. */
  readonly waitsFor: string;
  readonly startedAt: Date | null;
  readonly endedAt: Date | null;
  /** When this attempt's tasks were sent. */
  readonly runningSince: Date | null;
  /** Of a job at step retrying; else null. */
  readonly retry: Retry | null;
  readonly progress: JobProgress;
  /** When each participant last spoke, in ms since 1970; absent: not yet in this attempt. */
  readonly heard: Readonly<Record<string, number>>;
  /** How each participant's part of this attempt ended. */
  readonly results: Readonly<Record<string, TaskResult>>;
}

export interface BackupJob extends JobBase {
  readonly type: 'backup';
  readonly request: BackupRequest;
  /** Of this attempt or, until it has begun, of the one before. */
  readonly image: BegunImage | null;
  /** The agent could not go on: this attempt makes a new image. */
  readonly fresh: boolean;
  /** Since when the catalog has waited for the same; null unless verifying. */
  readonly verifyingSince: Date | null;
}

export interface RestoreJob extends JobBase {
  readonly type: 'restore';
  readonly request: RestoreRequest;
  /** The client that writes the files; known once the job is planned. */
  readonly toClient: string | null;
  readonly chain: readonly ChainImage[];
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

export type Job = BackupJob | RestoreJob | DuplicateJob | VerifyJob;

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

/** Attempts that a job has in all. */
export function triesOf(job: Job): number {
  switch (job.type) {
    case 'backup':
    case 'duplicate':
      return job.request.tries;
    case 'verify':
      return VERIFY_TRIES;
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

/** An image's name starts with its client's. */
function clientOfImage(imageId: string): string {
  return imageId.replace(/_\d+$/, '');
}
