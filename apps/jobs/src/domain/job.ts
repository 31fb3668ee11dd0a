import type { Allocation } from '#contracts/broker.js';
import type { BackupRequest, JobProgress, RestoreRequest, TaskResult } from '#contracts/job.js';
import type { DataAddress, ImageDetails, ImageKind } from '#contracts/names.js';

/** What the catalog answered when the job's image was made. */
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

export interface ChainImage {
  readonly imageId: string;
  readonly kind: ImageKind;
  readonly media: readonly string[];
}

export interface Source {
  readonly mediaId: string;
  readonly address: DataAddress;
  readonly tokens: readonly string[];
}

/**
 * Where a job is on its way. Each step has one thing that the job manager asks for or waits for;
 * doing it twice is harmless, so after a crash a job goes on from the step that was saved.
 *
 * backup:  allocating, beginning, running, verifying, releasing, done
 * restore: planning, allocating, running, releasing, done
 */
export type Step =
  'planning' | 'allocating' | 'beginning' | 'running' | 'verifying' | 'releasing' | 'done';

/** The end that a job is heading for once it is decided. */
export interface Outcome {
  readonly status: number;
  readonly message: string;
}

interface JobBase {
  readonly job: number;
  readonly attempt: number;
  readonly step: Step;
  readonly outcome: Outcome | null;
  readonly allocation: Allocation | null;
  /** What a queued job waits for, or the catalog for a verifying one; else empty. */
  readonly waitsFor: string;
  readonly startedAt: Date | null;
  readonly endedAt: Date | null;
  readonly progress: JobProgress;
  /** When each participant last spoke, in ms since 1970; 0: not yet in this attempt. */
  readonly heard: Readonly<Record<'media' | 'agent', number>>;
}

export interface BackupJob extends JobBase {
  readonly type: 'backup';
  readonly request: BackupRequest;
  readonly image: BegunImage | null;
  readonly results: Readonly<Partial<Record<'media' | 'agent', TaskResult>>>;
}

export interface RestoreJob extends JobBase {
  readonly type: 'restore';
  readonly request: RestoreRequest;
  /** The client that writes the files; known once the job is planned. */
  readonly toClient: string | null;
  readonly chain: readonly ChainImage[];
  readonly results: Readonly<Partial<Record<'media' | 'agent', TaskResult>>>;
}

export type Job = BackupJob | RestoreJob;

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

/** The client whose agent works for this job. */
export function clientOf(job: Job): string {
  if (job.type === 'backup') return job.request.client;
  return job.toClient ?? job.request.toClient ?? sourceClient(job.request);
}

/** For an image, the client is the name in front of the backup time. */
export function sourceClient(request: RestoreRequest): string {
  return 'client' in request.source
    ? request.source.client
    : request.source.imageId.replace(/_\d+$/, '');
}
