import type { JobState, JobView, JobWaitReason } from '#contracts/job.js';
import { STATUS, statusText } from '#kernel/status.js';
import { outOfTries } from './attempts/out-of-tries.js';
import { clientOf, imageOf, triesOf, type Job, type Step } from './job.js';

const OPERATIONS: Readonly<Record<Step, string>> = {
  planning: 'choosing images',
  allocating: 'requesting resources',
  beginning: 'making the image',
  running: 'moving data',
  verifying: 'verifying the image with the catalog',
  retrying: 'waiting to retry',
  weighing: 'looking at what is committed',
  suspended: 'suspended: waits to be resumed',
  incomplete: 'incomplete: waits to be resumed',
  gathering: 'parent job',
  releasing: 'releasing resources',
  done: '',
};

/** Queued until resources are granted, active while it runs, then done; or it stands still. */
export function stateOf(job: Job): JobState {
  switch (job.step) {
    case 'done':
    case 'suspended':
    case 'incomplete':
      return job.step;
    case 'retrying':
      return 'waiting-for-retry';
    case 'planning':
    case 'allocating':
      return 'queued';
    case 'gathering':
      return job.type === 'parent' ? job.childState : 'active';
    case 'beginning':
    case 'running':
    case 'verifying':
    case 'weighing':
    case 'releasing':
      return job.startedAt ? 'active' : 'queued';
    default:
      return job.step satisfies never;
  }
}

/** What others see of a job. */
export function viewOf(job: Job, createdAt: Date): JobView {
  return {
    job: job.job,
    revision: job.revision,
    type: job.type === 'parent' ? 'backup' : job.type,
    state: stateOf(job),
    ...statusOf(job),
    ...namesOf(job),
    client: clientOf(job),
    imageId: imageOf(job),
    mediaId: mediaOf(job),
    attempt: job.attempt,
    retryAt: job.step === 'retrying' ? (job.retry?.at.toISOString() ?? null) : null,
    outOfTries: failureOf(job),
    operation: job.trouble || job.waitsFor || waitOf(job) || operationOf(job),
    waitReason: waitReasonOf(job),
    parent: job.parent,
    stream: job.stream,
    children: job.type === 'parent' ? job.children : 0,
    priority: job.priority,
    tries: triesOf(job),
    expected: job.expected && { files: job.expected.files, bytes: job.expected.bytes },
    createdAt: createdAt.toISOString(),
    startedAt: job.startedAt?.toISOString() ?? null,
    endedAt: job.endedAt?.toISOString() ?? null,
    progress: job.progress,
  };
}

function failureOf(job: Job): JobView['outOfTries'] {
  const failed = outOfTries(job);
  return failed && { failedAt: failed.failedAt.toISOString(), status: failed.status };
}

/** What one that works for it waits for, until it says that it goes on. */
function waitOf({ step, progress }: Job): string {
  return step === 'running' && progress.waitingFor ? `waiting for ${progress.waitingFor}` : '';
}

/** The media server that works for a job, or has worked for it last. */
export function mediaOf(job: Job): string | null {
  const now = job.allocation?.media[0]?.mediaId ?? job.retry?.drain?.mediaId;
  return now ?? job.pause?.drain?.mediaId ?? job.attempts.at(-1)?.mediaId ?? null;
}

function waitReasonOf(job: Job): JobWaitReason {
  if (job.type === 'parent') return job.step === 'done' ? '' : 'children';
  switch (job.step) {
    case 'planning':
      return 'turn';
    case 'allocating':
      return job.wait || 'turn';
    case 'suspended':
    case 'incomplete':
      return 'suspended';
    default:
      return '';
  }
}

function operationOf(job: Job): string {
  switch (job.type) {
    case 'backup':
    case 'parent':
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
  const status = job.step === 'done' ? (job.outcome?.status ?? STATUS.ok) : null;
  return {
    status,
    statusText: status === null ? '' : statusText(status),
    message: (job.outcome ?? job.pause?.outcome)?.message ?? '',
  };
}

function namesOf(job: Job) {
  // Only backups are a policy's: what waits for the end of its jobs hears of nothing else.
  const none = { policy: '', schedule: '', kind: null, storage: null };
  const byHand = { origin: 'immediate' as const, retention: null, keyword: '' };
  switch (job.type) {
    case 'backup':
    case 'parent': {
      const { policy, schedule, storage, origin, retention, keyword = '' } = job.request;
      const kind = (job.type === 'backup' ? job.image?.kind : undefined) ?? job.request.kind;
      return { policy, schedule, storage, kind, origin: origin ?? 'immediate', retention, keyword };
    }
    case 'duplicate':
      return { ...none, ...byHand, kind: job.copy?.kind ?? null, storage: job.request.toPool };
    case 'restore':
    case 'verify':
      return { ...none, ...byHand };
    default:
      return job satisfies never;
  }
}
