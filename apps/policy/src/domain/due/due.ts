import type { Schedule } from '#contracts/schedule.js';
import { durationMs } from '#kernel/duration.js';
import type { OpenTimes } from '../time/open-times.js';
import type { RunDay, RunDays } from '../time/run-days.js';
import { latest, type Cause, type Timed } from './cause.js';
import type { Failure, GoodBackup, History } from './history.js';
import { retryAfter, type RetryRule } from './retry.js';

export interface Due {
  /** Null: never by itself. In the past: as soon as possible, since then. */
  readonly dueAt: Date | null;
  /** The end of the window that it would start in, or of the days before an excluded one; else null. */
  readonly closesAt: Date | null;
  readonly cause: Cause;
  /** It would have been due then, were it for the cause alone; later because of windows. */
  readonly readyAt: number | null;
  /** The incomplete job that goes on then, in place of a new one. */
  readonly goesOn: number | undefined;
}

export interface DueInput {
  readonly active: boolean;
  /** In milliseconds; 0 if it always was. */
  readonly effectiveFrom: number;
  readonly schedule: Schedule;
  readonly times: OpenTimes;
  /** Of a schedule with a calendar. */
  readonly runDays: RunDays | undefined;
  readonly history: History;
  /** The last good backup of another schedule of this client that counts for this one. */
  readonly lastFuller: GoodBackup | null;
  readonly userFailures: readonly Failure[];
  readonly retry: RetryRule;
  /** The job of one of the failures, if it is incomplete: it is gone on with when it may be tried again. */
  readonly incomplete?: number | undefined;
  /** The instant of the question, in milliseconds. */
  readonly asked: number;
}

/**
 * When a schedule of a client is due: what has happened says when it is ready, and the start
 * windows when it may begin.
 *
 * The instant of the question only tells which windows are over. So the answer stays the same until
 * the window closes that it would start in, and the same due time stands for the same run, however
 * often it is asked for. It is never before a window opens or on an excluded day, and never in a
 * window that was over at the instant of the question.
 *
 * What is incomplete takes the place of the next try, never that of a regular run: neither does it wait
 * for one, nor go on because of one. On another run day of a calendar it does not go on.
 */
export function due(input: DueInput): Due {
  const { active, schedule, runDays } = input;
  if (!active) return never('inactive');
  if (schedule.type === 'user') return never('user');
  if (runDays !== undefined) return calendarDue(input, runDays);
  if (schedule.frequency === undefined) return never('by-hand');
  return frequencyDue(input, schedule.frequency);
}

/** The last one that a timestamp can say: years have four digits. Policies may take effect as late as that. */
const LAST_INSTANT = Date.parse('9999-12-31T23:59:59.999Z');

function frequencyDue(input: DueInput, frequency: string): Due {
  const { history, effectiveFrom, times, asked, incomplete } = input;
  const held = history.heldUntil?.getTime();
  const goesOn = incomplete === undefined ? undefined : again(input, Infinity);
  const ready = latest(
    goesOn ?? regular(input, frequency),
    goesOn === undefined ? again(input, durationMs(frequency)) : undefined,
    held === undefined ? undefined : { at: held, cause: { kind: 'held', until: held } },
    effectiveFrom === 0
      ? undefined
      : { at: effectiveFrom, cause: { kind: 'effective', until: effectiveFrom } },
  );
  const at = moved(times, ready.at, asked);
  return at === undefined ? never('never-open') : begin(input, at, ready, input.incomplete);
}

function regular({ history, lastFuller }: DueInput, frequency: string): Timed {
  const base = later(history.lastGood, lastFuller);
  if (base === null) {
    const { knownSince, ahead } = history;
    const cause: Cause = ahead === undefined ? { kind: 'new' } : { kind: 'ahead', base: ahead };
    return { at: knownSince.getTime(), cause };
  }
  const fuller = base !== history.lastGood;
  return {
    at: base.at.getTime() + durationMs(frequency),
    cause: { kind: 'frequency', frequency, base, fuller },
  };
}

/**
 * Once on each run day. What did not run on it is left out, or, where the calendar allows that,
 * made up for in a later window until the next run day.
 */
function calendarDue(input: DueInput, runDays: RunDays): Due {
  const { history, times, asked, lastFuller, effectiveFrom } = input;
  const since = Math.max(
    history.knownSince.getTime(),
    history.heldUntil?.getTime() ?? 0,
    effectiveFrom,
  );
  const base = later(history.lastGood, lastFuller, 'plannedAt');
  const isDone = ({ from }: RunDay) => base !== null && base.plannedAt.getTime() >= from;
  let next = runDays.next(Math.max(asked, since - 1));
  while (next !== undefined && isDone(next)) next = runDays.next(next.runAt);
  const afterwards = input.schedule.calendar?.retriesAfterRunDay ?? false;
  const last = runDays.latest(asked, afterwards ? undefined : 0);
  if (last !== undefined && last.runAt >= since && !isDone(last)) {
    const ready = readyOn(last, input);
    const at = moved(times, ready.at, asked);
    const inTime = at !== undefined && (afterwards || at < last.to);
    if (inTime && (next === undefined || at < next.runAt)) {
      // Failed before this run day, it was for another one.
      const isForIt = ready.cause.kind !== 'calendar';
      return begin(input, at, ready, isForIt ? input.incomplete : undefined);
    }
  }
  if (next === undefined) return never('no-run-day');
  return begin(input, next.runAt, { at: next.runAt, cause: { kind: 'calendar', day: next.day } });
}

/** At the hour of the run day, or as soon as what failed since may be tried again. */
function readyOn({ day, runAt }: RunDay, input: DueInput): Timed {
  const { failures } = input.history;
  const failedSince = (failures.at(-1)?.at.getTime() ?? -Infinity) >= runAt;
  return latest(
    { at: runAt, cause: { kind: 'calendar', day } },
    failedSince ? again(input, Infinity) : undefined,
  );
}

function again({ history, retry, userFailures }: DueInput, regularMs: number): Timed | undefined {
  const { failures } = history;
  return failures.length === 0
    ? undefined
    : retryAfter(failures, { ...retry, userFailures, regularMs });
}

/** The instant, or the next one at which a backup may start and that is not over when asked. */
function moved(times: OpenTimes, ready: number, asked: number): number | undefined {
  if (ready >= asked) return times.firstOpen(ready);
  const since = times.openSince(asked);
  return since === undefined ? times.firstOpen(asked) : Math.max(ready, since);
}

function begin(
  { times, asked }: DueInput,
  at: number,
  ready: Timed,
  goesOn?: number | undefined,
): Due {
  // It is looked ahead for some days only, and what is due may be so for long.
  const closes = times.closesAfter(Math.max(at, asked));
  return {
    dueAt: new Date(Math.min(at, LAST_INSTANT)),
    closesAt: closes === null ? null : new Date(Math.min(closes, LAST_INSTANT)),
    cause: ready.cause,
    readyAt: ready.at,
    goesOn,
  };
}

function never(kind: 'inactive' | 'user' | 'by-hand' | 'never-open' | 'no-run-day'): Due {
  return { dueAt: null, closesAt: null, cause: { kind }, readyAt: null, goesOn: undefined };
}

function later(
  own: GoodBackup | null,
  fuller: GoodBackup | null,
  by: 'at' | 'plannedAt' = 'at',
): GoodBackup | null {
  if (own === null || fuller === null) return own ?? fuller;
  return fuller[by] > own[by] ? fuller : own;
}
