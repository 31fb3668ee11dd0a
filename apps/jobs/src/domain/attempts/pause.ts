import { STATUS, statusText } from '#kernel/status.js';
import { info, same, type Decision, type Effect, type InputOfType } from '../input.js';
import { changed, type Job, type Outcome, type Pause } from '../job.js';
import { attemptEnded, end, writtenBy } from './attempt.js';
import { outOfTries } from './out-of-tries.js';

/**
 * Stops a job and keeps what it has committed. Its resources go back; the next attempt goes on from
 * there, but for a restore or a verification, which begin anew.
 */
export function suspend(job: Job, now: Date): Decision {
  const outcome: Outcome = { status: STATUS.suspended, message: statusText(STATUS.suspended) };
  const pause: Pause = {
    ...{ since: now, outcome, wasVerifying: job.step === 'verifying' },
    drain: job.retry ? job.retry.drain : writtenBy(job),
    isLetGo: job.retry?.isLetGo ?? false,
  };
  const ended = job.retry ? job : attemptEnded(job, outcome, now);
  const stops: Effect[] = job.step === 'running' ? [{ type: 'cancel-tasks' }] : [];
  return {
    job: changed(ended, {
      ...{ step: 'suspended', pause, retry: null, waitsFor: '', wait: '', trouble: '' },
    }),
    effects: [info(`${outcome.message} (${outcome.status})`), ...stops],
  };
}

/** Goes on with what stands still, with all tries, whenever its start window closes. */
export function resume(job: Job, now: Date): Decision {
  const open = withoutWindow(job);
  if (job.step === 'retrying' && job.retry) {
    if (job.retry.at <= now) return same(job);
    const retry = { ...job.retry, at: now };
    return { job: changed(open, { retry }), effects: [info('the next attempt begins at once')] };
  }
  if (!job.pause) return same(job);
  if (job.pause.wasVerifying) {
    const next = changed(open, { step: 'verifying', pause: null });
    const line = info('resumed: everything was written already');
    return {
      job: 'verifyingSince' in next ? { ...next, verifyingSince: now } : next,
      effects: [line],
    };
  }
  return nextRound(open, job.pause, now);
}

/**
 * Goes on with a backup that is out of tries, as its policy's retry rule says: within a start window,
 * as a new job would. What has failed again since, was suspended by a person, or moves, stays as it is.
 */
export function goOn(
  job: Job,
  { failedAt, closesAt }: InputOfType<'continue'>,
  now: Date,
): Decision {
  const failed = outOfTries(job);
  if (failed === null || failed.failedAt > failedAt) return same(job);
  if (closesAt !== null && closesAt <= now) return same(job);
  const line = info('the retry rule of its policy allows another try');
  if (job.type === 'parent') return { job, effects: [line] };
  if (job.type !== 'backup' || !job.pause) return same(job);
  const { closesAt: _, ...request } = job.request;
  const window = closesAt === null ? {} : { closesAt: closesAt.toISOString() };
  const windowed = { ...job, request: { ...request, ...window } };
  const { job: next, effects } = nextRound(windowed, job.pause, now);
  return { job: next, effects: [line, ...effects] };
}

function nextRound(job: Job, { drain, isLetGo }: Pause, now: Date): Decision {
  const retry = { at: now, drain, drains: 0, isLetGo };
  return {
    job: changed(job, { step: 'retrying', failures: 0, pause: null, retry }),
    effects: [info(resumedText(job))],
  };
}

/** A suspended job becomes incomplete, an incomplete one ends with the status that it had. */
export function waitedOut(job: Job, now: Date): Decision {
  if (!job.pause) return same(job);
  if (job.step === 'incomplete') {
    const decision = end(job, job.pause.outcome, now);
    return { ...decision, effects: [info('nobody has resumed it in time'), ...decision.effects] };
  }
  const pause = { ...job.pause, since: now };
  return {
    job: changed(job, { step: 'incomplete', pause }),
    effects: [info('suspended for too long: incomplete')],
  };
}

function resumedText(job: Job): string {
  if (job.type === 'backup' || job.type === 'duplicate') {
    return 'resumed: goes on from what is committed';
  }
  return `resumed: a ${job.type === 'verify' ? 'verification' : 'restore'} begins anew`;
}

/** Whoever resumes a job by hand wants it now. */
function withoutWindow(job: Job): Job {
  if (job.type !== 'backup' || job.request.closesAt === undefined) return job;
  const { closesAt: _, ...request } = job.request;
  return { ...job, request };
}
