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
  type RestoreJob,
  type VerifyJob,
} from './job.js';

/** What every job starts with. Its number is given when it is saved. */
function fresh(backoff: Backoff) {
  return {
    ...{ job: 0, attempt: 1, failures: 0, backoff },
    ...{ outcome: null, allocation: null, waitsFor: '' },
    ...{ startedAt: null, endedAt: null, runningSince: null, retry: null },
    ...{ progress: NO_PROGRESS, heard: {}, results: {} },
  };
}

export function backupDraft(request: BackupRequest, backoff: Backoff): BackupJob {
  const common = fresh(backoff);
  return {
    ...{ ...common, type: 'backup', step: 'allocating', request },
    ...{ image: null, fresh: false, verifyingSince: null },
  };
}

export function restoreDraft(request: RestoreRequest, backoff: Backoff): RestoreJob {
  const common = fresh(backoff);
  return { ...common, type: 'restore', step: 'planning', request, toClient: null, chain: [] };
}

export function duplicateDraft(request: DuplicateRequest, backoff: Backoff): DuplicateJob {
  return {
    ...fresh(backoff),
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
      return `requesting resource ${job.request.storage}`;
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
