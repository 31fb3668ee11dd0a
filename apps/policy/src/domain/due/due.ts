import type { Schedule } from '#contracts/policy.js';
import { statusText } from '#contracts/status-codes.js';
import { durationMs, durationText } from './duration.js';
import type { Failure, GoodBackup, History } from './history.js';

/** The field's rule: so many tries in a sliding window, and a pause between two of them. */
export interface RetryRule {
  readonly triesMax: number;
  readonly windowMs: number;
  readonly delayMs: number;
}

export interface Due {
  /** Null: never by itself. In the past: as soon as possible, since then. */
  readonly dueAt: Date | null;
  readonly reason: string;
}

export interface DueInput {
  readonly active: boolean;
  readonly schedule: Schedule;
  readonly history: History;
  /** The last good backup of another schedule of this client that holds at least as much. */
  readonly lastFuller: GoodBackup | null;
  readonly retry: RetryRule;
}

/** Termination requested by an administrator: whoever ended it does not want it back at once. */
const STATUS_CANCELLED = 150;

/**
 * When a schedule of a client is due. It depends on what has happened alone, not on the time of the
 * question: the same due time stands for the same run, however often it is asked for.
 */
export function due(input: DueInput): Due {
  const { active, schedule, history, retry } = input;
  if (!active) return { dueAt: null, reason: 'the policy is not active' };
  if (schedule.frequency === undefined) {
    return { dueAt: null, reason: 'only by hand: the schedule has no frequency' };
  }
  const frequencyMs = durationMs(schedule.frequency);
  const regular = regularDue(input, schedule.frequency);
  const again = retryDue(history.failures, { ...retry, frequencyMs });
  return again !== undefined && again.dueAt > regular.dueAt ? again : regular;
}

interface Timed extends Due {
  readonly dueAt: Date;
}

function regularDue({ history, lastFuller }: DueInput, frequency: string): Timed {
  const own = history.lastGood;
  const base = lastFuller !== null && lastFuller.at > (own?.at ?? 0) ? lastFuller : own;
  if (base === null) {
    return { dueAt: history.knownSince, reason: 'no good backup yet: due at once' };
  }
  const what = base === own ? 'good backup' : 'good backup of a fuller schedule';
  return {
    dueAt: after(base.at, durationMs(frequency)),
    reason: `${frequency} after the last ${what} (job ${base.job}, ${base.at.toISOString()})`,
  };
}

/** When it may be tried again after failures. */
function retryDue(
  failures: readonly Failure[],
  rule: RetryRule & { readonly frequencyMs: number },
): Timed | undefined {
  const last = failures.at(-1);
  if (last === undefined) return undefined;
  const status = `status ${last.status} (${statusText(last.status)})`;
  const delayed = after(last.at, rule.delayMs);
  const delay = durationText(rule.delayMs);
  if (last.job === null) {
    const reason = `the job manager refused with ${status}; asked again after ${delay}`;
    return { dueAt: delayed, reason };
  }
  const ended = `job ${last.job} ended with ${status}`;
  // A window that ends later must not swallow the next regular run.
  const nextRun = after(last.at, Math.max(rule.frequencyMs, rule.delayMs));
  if (last.status === STATUS_CANCELLED) {
    const dueAt = earlier(after(last.at, rule.windowMs), nextRun);
    return { dueAt, reason: `${ended}; left alone for ${durationText(+dueAt - +last.at)}` };
  }
  const windowBegin = after(last.at, -rule.windowMs);
  const tries = failures.filter(({ job, at }) => job !== null && at > windowBegin);
  const oldest = tries.at(-rule.triesMax);
  if (oldest === undefined) return { dueAt: delayed, reason: `${ended}; again after ${delay}` };
  return {
    dueAt: later(delayed, earlier(after(oldest.at, rule.windowMs), nextRun)),
    reason: `${ended}; ${rule.triesMax} tries within ${durationText(rule.windowMs)} have failed`,
  };
}

function after(time: Date, ms: number): Date {
  return new Date(time.getTime() + ms);
}

function earlier(a: Date, b: Date): Date {
  return a < b ? a : b;
}

function later(a: Date, b: Date): Date {
  return a > b ? a : b;
}
