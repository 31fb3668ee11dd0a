import type {
  BackupRequest,
  DuplicateRequest,
  RestoreRequest,
  VerifyRequest,
} from '#contracts/job.js';
import {
  NO_PROGRESS,
  type BackupJob,
  type Backoff,
  type DuplicateJob,
  type Job,
  type ParentJob,
  type RestoreJob,
  type VerifyJob,
} from './job.js';

/** What every job starts with. Its number is given when it is saved. */
function fresh(backoff: Backoff, priority = 0) {
  return {
    ...{ job: 0, revision: 0, parent: null, stream: null, priority },
    ...{ attempt: 1, failures: 0, backoff, attempts: [], owed: [] },
    ...{
      outcome: null,
      allocation: null,
      leasedAt: null,
      waitsFor: '',
      wait: '' as const,
      trouble: '',
    },
    ...{ startedAt: null, endedAt: null, runningSince: null, releasingSince: null },
    ...{ retry: null, pause: null, expected: null },
    ...{ progress: NO_PROGRESS, heard: {}, results: {} },
  };
}

export function backupDraft(request: BackupRequest, backoff: Backoff): BackupJob {
  return {
    ...{ ...fresh(backoff, request.priority), type: 'backup', request },
    step: request.synthetic ? 'planning' : 'allocating',
    ...{ run: null, image: null, fresh: false, chain: [], verifyingSince: null },
  };
}

/** Jobs that are made together: one, or a parent with its children. */
export interface Draft {
  readonly job: Job;
  /** They learn their parent's number when they are saved: see `bornOf`. */
  readonly children: readonly BackupJob[];
}

export function alone(job: Job): Draft {
  return { job, children: [] };
}

/** One stream is a job like any other; more are a parent with a child for each. */
export function backupDrafts(request: BackupRequest, backoff: Backoff): Draft {
  const { streams = [], requestId: _, ...shared } = request;
  const [only] = streams;
  if (only === undefined) return alone(backupDraft(shared, backoff));
  if (streams.length === 1) return alone(backupDraft({ ...shared, selections: only }, backoff));
  const children = streams.map((selections, index) => ({
    ...backupDraft({ ...shared, selections }, backoff),
    stream: index + 1,
  }));
  const job: ParentJob = {
    ...{ ...fresh(backoff, request.priority), type: 'parent', step: 'gathering', request },
    ...{ children: children.length, childState: 'queued', isCancelled: false, outOfTries: null },
  };
  return { job, children };
}

/** The children of a parent that has got its number. */
export function bornOf(parent: number, { children }: Draft): BackupJob[] {
  const run = { parent, streams: children.length };
  return children.map((child) => ({ ...child, parent, run }));
}

/**
 * The same once more, by hand: whatever its start window, and as a job of its own. A stream that is
 * run again still belongs to its run, so that a restore finds all of it.
 */
export function draftAgain(job: Job, backoff: Backoff): Draft {
  switch (job.type) {
    case 'backup':
    case 'parent': {
      const { closesAt: _, ...request } = job.request;
      const again = { ...request, priority: job.priority, origin: 'immediate' as const };
      if (job.type === 'parent') return backupDrafts(again, backoff);
      return alone({ ...backupDraft(again, backoff), run: job.run, stream: job.stream });
    }
    case 'restore':
      return alone(restoreDraft(job.request, backoff));
    case 'duplicate':
      return alone(duplicateDraft({ ...job.request, priority: job.priority }, backoff));
    case 'verify':
      return alone(verifyDraft(job.request, backoff));
    default:
      return job satisfies never;
  }
}

export function restoreDraft(request: RestoreRequest, backoff: Backoff): RestoreJob {
  const common = fresh(backoff);
  return { ...common, type: 'restore', step: 'planning', request, toClient: null, chain: [] };
}

export function duplicateDraft(request: DuplicateRequest, backoff: Backoff): DuplicateJob {
  return {
    ...fresh(backoff, request.priority),
    ...{ type: 'duplicate', step: 'planning', request },
    ...{ sources: [], copy: null, verifyingSince: null },
  };
}

export function verifyDraft(request: VerifyRequest, backoff: Backoff): VerifyJob {
  const common = fresh(backoff);
  return { ...common, type: 'verify', step: 'planning', request, sources: [], parts: {} };
}

/** The first line of a new job's log. */
export function firstLine(job: Job): string {
  switch (job.type) {
    case 'backup':
      if (job.request.synthetic) return `begin synthetic full: policy ${job.request.policy}`;
      return `requesting resource ${job.request.storage}`;
    case 'parent':
      return `parent job: ${job.children} streams`;
    case 'restore':
      return `restore to ${job.request.destination}`;
    case 'duplicate':
      return `begin Duplicate: image ${job.request.imageId} to pool ${job.request.toPool}`;
    case 'verify':
      return `begin Verify: image ${job.request.imageId}`;
    default:
      return job satisfies never;
  }
}
