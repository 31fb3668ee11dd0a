import type { JobState, JobView } from '#contracts/job.js';
import { statusText } from '#contracts/status-codes.js';
import { clientOf, type Job, type Step } from './job.js';

const OPERATIONS: Readonly<Record<Step, string>> = {
  planning: 'choosing images',
  allocating: 'requesting resources',
  beginning: 'making the image',
  running: 'moving data',
  verifying: 'verifying the image with the catalog',
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
    mediaId: job.allocation?.media[0]?.mediaId ?? null,
    attempt: job.attempt,
    retryAt: null,
    operation: job.waitsFor || OPERATIONS[job.step],
    createdAt: createdAt.toISOString(),
    startedAt: job.startedAt?.toISOString() ?? null,
    endedAt: job.endedAt?.toISOString() ?? null,
    progress: job.progress,
  };
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
  if (job.type === 'backup') {
    return {
      policy: job.request.policy,
      schedule: job.request.schedule,
      kind: job.image?.kind ?? job.request.kind,
      imageId: job.image?.imageId ?? null,
      storage: job.request.storage,
    };
  }
  const { source } = job.request;
  return {
    policy: '',
    schedule: '',
    kind: null,
    imageId: job.chain.at(-1)?.imageId ?? ('imageId' in source ? source.imageId : null),
    storage: null,
  };
}
