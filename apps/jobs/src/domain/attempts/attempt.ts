import type { TaskResult } from '#contracts/job.js';
import { STATUS, statusText } from '#kernel/status.js';
import { failure, info, same, warning, type Decision, type Effect } from '../input.js';
import {
  changed,
  closesAt,
  isSynthetic,
  triesOf,
  type Backoff,
  type Job,
  type Outcome,
  type Pause,
  type Retry,
  type Written,
} from '../job.js';
import { requestingLine, spanText } from '../log-lines.js';
import { mayPass } from './retryable.js';

/** Attempts whose record a job keeps. */
const ATTEMPTS_KEPT_MAX = 100;

/** Starts the tasks of an attempt whose resources and place in the catalog are known. */
export function run(job: Job, now: Date, lines: readonly Effect[]): Decision {
  // Whoever waited in the attempt before may have had no time to say that it does not any more.
  const progress = { ...job.progress, waitingFor: '' };
  return {
    job: changed(job, { step: 'running', runningSince: now, heard: {}, results: {}, progress }),
    effects: [...lines, { type: 'send-tasks' }],
  };
}

/**
 * An attempt has failed: another one if the reason may pass, tries are left and the start window is
 * open by then; else the end, or what can be resumed is kept.
 */
export function fail(job: Job, result: TaskResult, now: Date): Decision {
  const fresh = needsNewImage(job, result);
  const reason = fresh ? 'the agent cannot go on with this image' : mayPass(result.status);
  if (reason === undefined) return end(job, result, now);
  // What was to have a new image, and has none, is not tried without end.
  const isFree = fresh && job.type === 'backup' && !job.fresh;
  const failures = isFree ? job.failures : job.failures + 1;
  const waitMs = isFree ? 0 : delayMs(job.backoff, failures);
  const at = new Date(now.getTime() + waitMs);
  const closes = closesAt(job);
  const ended = changed(attemptEnded(job, result, now), { failures });
  const lines: Effect[] = [warning(`${textOf(result)} (${result.status})`)];
  const stops: Effect[] = job.step === 'running' ? [{ type: 'cancel-tasks' }] : [];
  if (failures >= triesOf(job) || (closes && at >= closes)) {
    const why = failures >= triesOf(job) ? 'no tries are left' : 'the start window closes';
    lines.push(info(`attempt ${job.attempt} has ended; ${reason}, but ${why}`));
    const last = outOfTries(ended, now);
    return { job: last.job, effects: [...lines, ...last.effects, ...stops] };
  }
  lines.push(
    info(
      `attempt ${job.attempt} has ended; ${reason}: ` +
        `try ${failures + 1} of ${triesOf(job)} begins in ${spanText(waitMs)}`,
    ),
  );
  const retry: Retry = { at, drain: writtenBy(job), drains: 0, isLetGo: false };
  const next = changed(ended, { step: 'retrying', retry, waitsFor: '', wait: '' });
  return {
    job: next.type === 'backup' ? { ...next, fresh } : next,
    effects: [...lines, ...stops],
  };
}

/** No further attempt: what the last one has left behind decides whether the job can be resumed. */
function outOfTries(job: Job, now: Date): Decision {
  const last = lastFailure(job);
  const drain = writtenBy(job) ?? job.retry?.drain ?? null;
  const isWriter = job.type === 'backup' ? job.image : job.type === 'duplicate' && job.copy;
  if (!isWriter) return end(job, last, now);
  const retry = { at: now, drain, drains: 0, isLetGo: job.retry?.isLetGo ?? false };
  return { job: changed(job, { step: 'weighing', retry, waitsFor: '', wait: '' }), effects: [] };
}

/** How the last attempt that is over has ended. */
function lastFailure(job: Job): Outcome {
  const { status, message } = job.attempts.at(-1) ?? { status: STATUS.cancelled, message: '' };
  return { status, message };
}

/** The catalog has said how much is committed of what a job without tries has written. */
export function weighed(job: Job, committed: number, now: Date): Decision {
  if (job.step !== 'weighing' || !job.retry?.isLetGo || job.retry.drain) return same(job);
  return committed > 0 ? leave(job, now) : end(job, lastFailure(job), now);
}

/** Nobody could say: then it is kept for whoever resumes it. */
export function cannotWeigh(job: Job, now: Date): Decision {
  return job.step === 'weighing' ? leave(job, now) : same(job);
}

function leave(job: Job, now: Date): Decision {
  const { drain, isLetGo } = job.retry!;
  const pause: Pause = {
    ...{ since: now, outcome: lastFailure(job), drain, isLetGo, wasVerifying: false },
  };
  return {
    job: changed(job, { step: 'incomplete', pause, retry: null, trouble: '', waitsFor: '' }),
    effects: [
      warning(`incomplete: go on from what is committed with: holdfast jobs resume ${job.job}`),
    ],
  };
}

/** Nobody may wait for a start any more: its window has closed. A job that runs goes on. */
export function windowClosed(job: Job, now: Date): Decision {
  const closes = closesAt(job);
  if (!closes || now < closes || (job.step !== 'allocating' && job.step !== 'planning')) {
    return same(job);
  }
  if (job.attempts.length > 0) return outOfTries(job, now);
  return end(job, { status: STATUS.windowClosed, message: statusText(STATUS.windowClosed) }, now);
}

/** The wait after failure number `failures` (1 is the first): growing, bounded. */
export function delayMs({ firstMs, factor, maxMs }: Backoff, failures: number): number {
  return Math.min(maxMs, Math.round(firstMs * factor ** (failures - 1)));
}

/** The broker has taken the resources of the failed attempt back. */
export function letGo(job: Job): Decision {
  if (job.retry && !job.retry.isLetGo) {
    const retry = { ...job.retry, isLetGo: true };
    return { job: changed(job, { allocation: null, retry }), effects: [] };
  }
  if (!job.pause || job.pause.isLetGo) return same(job);
  const pause = { ...job.pause, isLetGo: true };
  // The catalog counts under the fence of the attempt that held it.
  const allocation = pause.wasVerifying ? job.allocation : null;
  return { job: changed(job, { allocation, pause }), effects: [] };
}

/**
 * What the old media server has sealed comes first: a fragment that is committed is not written
 * again. But a server that does not answer holds nobody up: the fence keeps out what comes late.
 */
export function drained(job: Job, open: number | null, now: Date): Decision {
  const { retry } = job;
  if (!retry?.isLetGo || now < retry.at) return same(job);
  const drains = retry.drains + 1;
  // Without a further attempt there is no hurry, and nobody to wait for.
  const isGivenUp = drains >= job.backoff.drainsMax || (job.step === 'weighing' && open === null);
  if (retry.drain && open !== 0 && !isGivenUp) {
    const waitsFor = `draining media server ${retry.drain.mediaId}`;
    return { job: changed(job, { waitsFor, retry: { ...retry, drains } }), effects: [] };
  }
  const lines = retry.drain ? [drainLine(retry.drain.mediaId, open)] : [];
  if (job.step === 'weighing') {
    const next = changed(job, { waitsFor: '', retry: { ...retry, drain: null } });
    return { job: retry.drain ? next : job, effects: lines };
  }
  const closes = closesAt(job);
  if (closes && now >= closes) {
    const over = outOfTries(changed(job, { retry: { ...retry, drain: null } }), now);
    const line = info('no further attempt: the start window has closed');
    return { job: over.job, effects: [...lines, line, ...over.effects] };
  }
  const next = changed(job, {
    ...{ attempt: job.attempt + 1, step: firstStep(job), retry: null, waitsFor: '', wait: '' },
    ...{ heard: {}, results: {}, runningSince: null },
  });
  const asks = next.step === 'allocating' ? [info(requestingLine(next))] : [];
  return { job: next, effects: [...lines, ...asks] };
}

/** Heads for the end: gives everything back first. The first outcome counts. */
export function end(job: Job, { status, message }: Outcome, now: Date): Decision {
  if (job.step === 'releasing') return same(job);
  const lines = status > STATUS.partial && message ? [failure(message)] : [];
  const isOver = job.retry !== null || job.pause !== null;
  const ended = isOver ? job : attemptEnded(job, { status, message }, now);
  return {
    job: changed(ended, {
      ...{ step: 'releasing', outcome: { status, message }, releasingSince: now },
      ...{ waitsFor: '', wait: '', trouble: '', retry: null, pause: null },
    }),
    effects: job.step === 'running' ? [...lines, { type: 'cancel-tasks' }] : lines,
  };
}

/** Keeps the record of the attempt that has just ended. */
export function attemptEnded(job: Job, { status, message }: Outcome, now: Date): Job {
  const { attempt, runningSince: startedAt } = job;
  const mediaId = job.allocation?.media[0]?.mediaId ?? null;
  const ended = { attempt, startedAt, endedAt: now, status, message, mediaId };
  const before = job.attempts.filter((one) => one.attempt !== attempt);
  return changed(job, { attempts: [...before, ended].slice(-ATTEMPTS_KEPT_MAX) });
}

/** Where the first attempt and every further one begins. What is where may have changed since. */
function firstStep(job: Job): 'planning' | 'allocating' {
  return job.type === 'backup' && !isSynthetic(job) ? 'allocating' : 'planning';
}

/** Once only: an agent that starts from nothing has nothing that it could miss. */
function needsNewImage(job: Job, { cannotResume }: TaskResult): boolean {
  if (job.type !== 'backup' || !cannotResume) return false;
  return job.image !== null && job.image.nextNumber > 1;
}

/** What the media server of this attempt writes. */
export function writtenBy(job: Job): Written | null {
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
