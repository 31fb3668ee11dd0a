import type { JobState, JobView } from '#contracts/job.js';
import { statusText } from '#contracts/status-codes.js';
import { clientOf, imageOf, type Job, type Step } from './job.js';

const OPERATIONS: Readonly<Record<Step, string>> = {
  planning: 'choosing images',
  allocating: 'requesting resources',
  beginning: 'making the image',
  running: 'moving data',
  verifying: 'verifying the image with the catalog',
  retrying: 'waiting to retry',
  releasing: 'releasing resources',
  done: '',
};

/** Queued until resources are granted, active while it runs, then done. */
export function stateOf(job: Job): JobState {
  if (job.step === 'done') return 'done';
  return job.startedAt ? 'active' : 'queued';
}

/** What others see of a job. */
export function viewOf(job: Job, createdAt: Date): JobView {
  return {
    job: job.job,
    type: job.type,
    state: stateOf(job),
    ...statusOf(job),
    ...namesOf(job),
    client: clientOf(job),
    imageId: imageOf(job),
    mediaId: job.allocation?.media[0]?.mediaId ?? job.retry?.drain?.mediaId ?? null,
    attempt: job.attempt,
    retryAt: job.retry?.at.toISOString() ?? null,
    operation: job.waitsFor || waitOf(job) || operationOf(job),
    createdAt: createdAt.toISOString(),
    startedAt: job.startedAt?.toISOString() ?? null,
    endedAt: job.endedAt?.toISOString() ?? null,
    progress: job.progress,
  };
}

/** What one that works for it waits for, until it says that it goes on. */
function waitOf({ step, progress }: Job): string {
  return step === 'running' && progress.waitingFor ? `waiting for ${progress.waitingFor}` : '';
}

function operationOf(job: Job): string {
  switch (job.type) {
    case 'backup':
      return OPERATIONS[job.step];
    case 'restore':
      return job.step === 'beginning' ? HOLDING : OPERATIONS[job.step];
    case 'duplicate':
      if (job.step === 'beginning') return 'making the copy';
      if (job.step === 'verifying') return 'verifying the copy with the catalog';
      return job.step === 'running' ? counting(job, 'duplicating') : OPERATIONS[job.step];
    case 'verify':
      if (job.step === 'beginning') return HOLDING;
      return job.step === 'running' ? counting(job, 'verifying') : OPERATIONS[job.step];
    default:
      return job satisfies never;
  }
}

const HOLDING = 'holding what is read';

function counting({ progress }: Job, verb: string): string {
  const { fragments, fragmentsTotal } = progress;
  return fragmentsTotal > 0
    ? `${verb} fragments ${fragments} of ${fragmentsTotal}`
    : `${verb} fragments`;
}

function statusOf(job: Job) {
  const status = job.step === 'done' ? (job.outcome?.status ?? 0) : null;
  return {
    status,
    statusText: status === null ? '' : statusText(status),
    message: job.outcome?.message ?? '',
  };
}

function namesOf(job: Job) {
  // Only backups are a policy's: what waits for the end of its jobs hears of nothing else.
  const none = { policy: '', schedule: '', kind: null, storage: null };
  switch (job.type) {
    case 'backup': {
      const { policy, schedule, storage, kind } = job.request;
      return { policy, schedule, storage, kind: job.image?.kind ?? kind };
    }
    case 'duplicate':
      return { ...none, kind: job.copy?.kind ?? null, storage: job.request.toPool };
    case 'restore':
    case 'verify':
      return none;
    default:
      return job satisfies never;
  }
}
