import type { JobView } from '#contracts/job.js';
import { STATUS } from '#kernel/status.js';
import { DAY_MS } from '../time/zone.js';

/** A backup that counts: status 0, or 1 (some files could not be read). */
export interface GoodBackup {
  readonly job: number;
  /** When it began, so that a daily schedule stays at its time of day. */
  readonly at: Date;
  /** When it was due, or asked for: which day of a calendar it was for. */
  readonly plannedAt: Date;
}

/**
 * A try that did not end well, or that the job manager refused (then without a job). A job that was
 * gone on with has had several.
 */
export interface Failure {
  readonly job: number | null;
  readonly at: Date;
  readonly status: number;
}

/** What is known of one schedule of one client of a policy. */
export interface History {
  /** Since when the policy holds this schedule and client. */
  readonly knownSince: Date;
  /** What a change of the policy made due waits until then. */
  readonly heldUntil: Date | null;
  readonly lastGood: GoodBackup | null;
  /** Where `lastGood` was not believed: the good backup of a clock that was ahead, which does not count until then. */
  readonly ahead?: GoodBackup;
  /** Those after the last good backup, the oldest first, at most `FAILURES_MAX`. */
  readonly failures: readonly Failure[];
}

export const FAILURES_MAX = 20;

/** How a job ended, as far as it matters here. */
export interface Ending {
  readonly job: number;
  readonly status: number;
  readonly plannedAt: Date;
  readonly begunAt: Date;
  readonly endedAt: Date;
  /** Where it was incomplete until then: when the last try failed, which its end stands for. */
  readonly failedAt?: Date | null;
}

/**
 * The ending of a job that is done; `undefined` while it is not. `dueAt` is what it was submitted
 * for, where that is known, and `failedAt` when it failed, if it was incomplete.
 */
export function endingOf(
  view: JobView,
  { dueAt, failedAt }: { dueAt: Date | null; failedAt: Date | null },
): Ending | undefined {
  if (view.state !== 'done' || view.status === null) return undefined;
  return {
    job: view.job,
    status: view.status,
    plannedAt: dueAt ?? new Date(view.createdAt),
    begunAt: new Date(view.startedAt ?? view.createdAt),
    endedAt: new Date(view.endedAt ?? view.startedAt ?? view.createdAt),
    failedAt,
  };
}

/** Status 0 and 1 make an image. */
export function isGood(status: number): boolean {
  return status <= STATUS.partial;
}

/** A good backup that lies further than that in the future was made while a clock was ahead. */
const AHEAD_MS_MAX = 60_000;

/**
 * The history with one more ending, as it is heard `now`. Repeats and late arrivals change nothing that is newer;
 * but what lies in the future is newer than nothing.
 */
export function withEnding(history: History, ending: Ending, now: Date): History {
  if (isGood(ending.status)) {
    if (isNewer(history.lastGood, ending.begunAt, now)) return history;
    return {
      ...history,
      lastGood: { job: ending.job, at: ending.begunAt, plannedAt: ending.plannedAt },
      failures: history.failures.filter(({ at }) => at > ending.endedAt),
    };
  }
  const { job, status, failedAt } = ending;
  const failures = history.failures.filter(
    (failure) => failure.job !== job || failure.at.getTime() !== failedAt?.getTime(),
  );
  return withFailedTry({ ...history, failures }, { job, at: ending.endedAt, status }, now);
}

/** The history with one more try of a job that has failed, and may be gone on with. The same holds. */
export function withFailedTry(history: History, failure: Failure, now: Date): History {
  const { lastGood, failures } = history;
  if (isNewer(lastGood, failure.at, now)) return history;
  if (failures.some(({ job, at }) => job === failure.job && at >= failure.at)) return history;
  return withFailure(history, failure);
}

function isNewer(good: GoodBackup | null, than: Date, now: Date): boolean {
  return good !== null && good.at >= than && good.at.getTime() - now.getTime() <= AHEAD_MS_MAX;
}

/**
 * As far ahead a good backup is believed, as the catalog believes it. Where another host's clock is still ahead by more,
 * its backups are only believed later: so none of them makes a new due time.
 */
const BELIEVED_AHEAD_MS_MAX = 600_000;

/**
 * The history without a good backup that lies in the future of `now` (milliseconds). When the one before was is not
 * known: the schedule counts as new, as of the last day's time at which it was new. Of that first time itself a job came.
 */
export function believed(history: History, now: number): History {
  const { lastGood, knownSince: since } = history;
  if (lastGood === null || lastGood.at.getTime() - now <= BELIEVED_AHEAD_MS_MAX) return history;
  const days = Math.floor((now - since.getTime()) / DAY_MS);
  const knownSince = new Date(since.getTime() + days * DAY_MS);
  return { ...history, knownSince, lastGood: null, ahead: lastGood };
}

/** Of the refusals, which made no job, only the last one is of interest. */
export function withFailure(history: History, failure: Failure): History {
  const jobs = history.failures.filter(({ job }) => job !== null);
  const failures = [...jobs, failure].sort((a, b) => a.at.getTime() - b.at.getTime());
  return { ...history, failures: failures.slice(-FAILURES_MAX) };
}

/** The history without the failures that came only after an instant. */
export function asOf(history: History | undefined, instant: Date): History | undefined {
  if (history === undefined || (history.failures.at(-1)?.at ?? 0) <= instant) return history;
  return { ...history, failures: history.failures.filter(({ at }) => at <= instant) };
}
