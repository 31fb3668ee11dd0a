import { statusText } from '#contracts/status-codes.js';
import type { TaskResult } from '#contracts/job.js';
import { failure, info, same, warning, type Decision, type Effect } from './input.js';
import { changed, triesOf, type Backoff, type Job, type Outcome, type Retry } from './job.js';
import { requestingLine, spanText } from './log-lines.js';
import { mayPass } from './retryable.js';

/** Up to this status a participant has done its part. */
export const PARTIAL = 1;

/** Starts the tasks of an attempt whose resources and place in the catalog are known. */
export function run(job: Job, now: Date, lines: readonly Effect[]): Decision {
  return {
    job: changed(job, { step: 'running', runningSince: now, heard: {}, results: {} }),
    effects: [...lines, { type: 'send-tasks' }],
  };
}

/** An attempt has failed: another one if the reason may pass and tries are left, else the end. */
export function fail(job: Job, result: TaskResult, now: Date): Decision {
  const fresh = needsNewImage(job, result);
  const reason = fresh ? 'the agent cannot go on with this image' : mayPass(result.status);
  const failures = fresh ? job.failures : job.failures + 1;
  if (reason === undefined || failures >= triesOf(job)) return end(job, result);
  const waitMs = fresh ? 0 : delayMs(job.backoff, failures);
  const retry: Retry = { at: new Date(now.getTime() + waitMs), drain: writtenBy(job), drains: 0 };
  const next = changed(job, { step: 'retrying', failures, retry, waitsFor: '' });
  const lines = [
    warning(`${textOf(result)} (${result.status})`),
    info(
      `attempt ${job.attempt} has ended; ${reason}: ` +
        `try ${failures + 1} of ${triesOf(job)} begins in ${spanText(waitMs)}`,
    ),
  ];
  return {
    job: next.type === 'backup' && fresh ? { ...next, fresh } : next,
    effects: job.step === 'running' ? [...lines, { type: 'cancel-tasks' }] : lines,
  };
}

/** The wait after failure number `failures` (1 is the first): growing, bounded. */
export function delayMs({ firstMs, factor, maxMs }: Backoff, failures: number): number {
  return Math.min(maxMs, Math.round(firstMs * factor ** (failures - 1)));
}

/** The broker has taken the resources of the failed attempt back. */
export function letGo(job: Job): Decision {
  if (job.step !== 'retrying' || !job.allocation) return same(job);
  return { job: changed(job, { allocation: null }), effects: [] };
}

/**
 * What the old media server has sealed comes first: a fragment that is committed is not written
 * again. But a server that does not answer holds nobody up: the fence keeps out what comes late.
 */
export function drained(job: Job, open: number | null, now: Date): Decision {
  const { retry } = job;
  if (job.step !== 'retrying' || !retry || job.allocation || now < retry.at) return same(job);
  const drains = retry.drains + 1;
  if (retry.drain && open !== 0 && drains < job.backoff.drainsMax) {
    const waitsFor = `draining media server ${retry.drain.mediaId}`;
    return { job: changed(job, { waitsFor, retry: { ...retry, drains } }), effects: [] };
  }
  const lines = retry.drain ? [drainLine(retry.drain.mediaId, open)] : [];
  const next = changed(job, {
    ...{ attempt: job.attempt + 1, step: firstStep(job), retry: null, waitsFor: '' },
    ...{ heard: {}, results: {}, runningSince: null },
  });
  const asks = next.step === 'allocating' ? [info(requestingLine(next))] : [];
  return { job: next, effects: [...lines, ...asks] };
}

/** Heads for the end: gives everything back first. The first outcome counts. */
export function end(job: Job, { status, message }: Outcome): Decision {
  if (job.step === 'releasing') return same(job);
  const lines = status > PARTIAL && message ? [failure(message)] : [];
  return {
    job: changed(job, {
      ...{ step: 'releasing', outcome: { status, message }, waitsFor: '', retry: null },
    }),
    effects: job.step === 'running' ? [...lines, { type: 'cancel-tasks' }] : lines,
  };
}

/** Where the first attempt and every further one begins. What is where may have changed since. */
export function firstStep(job: Job): 'planning' | 'allocating' {
  return job.type === 'backup' ? 'allocating' : 'planning';
}

/** Once only: an agent that starts from nothing has nothing that it could miss. */
function needsNewImage(job: Job, { cannotResume }: TaskResult): boolean {
  if (job.type !== 'backup' || !cannotResume) return false;
  return job.image !== null && job.image.nextNumber > 1;
}

function writtenBy(job: Job): Retry['drain'] {
  const mediaId = job.allocation?.media[0]?.mediaId;
  if (mediaId === undefined) return null;
  if (job.type === 'backup' && job.image) {
    return { mediaId, imageId: job.image.imageId, copy: job.image.copy };
  }
  if (job.type === 'duplicate' && job.copy) {
    return { mediaId, imageId: job.copy.imageId, copy: job.copy.copy };
  }
  return null;
}

function drainLine(mediaId: string, open: number | null): Effect {
  if (open === 0) return info('drained: every sealed fragment is committed');
  return warning(
    open === null
      ? `media server ${mediaId} cannot be reached: its late commits will be fenced`
      : `media server ${mediaId} has ${open} sealed fragments without a verdict still: ` +
          'its late commits will be fenced',
  );
}

function textOf({ status, message }: Outcome): string {
  return message || statusText(status);
}
