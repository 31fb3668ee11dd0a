import type { PolicySpec } from '#contracts/policy.js';
import type { Schedule } from '#contracts/schedule.js';
import { uuidOf } from '#kernel/ids.js';
import type { OpenTimes } from '../time/open-times.js';
import { due, type Due } from './due.js';
import { believed, type Failure, type GoodBackup, type History } from './history.js';
import { FULLNESS, rarityMs, type PolicyPlan } from './policy-plan.js';
import type { RetryRule } from './retry.js';

/** A job of a policy and client that has not ended. */
export interface OpenJob {
  readonly job: number;
  readonly schedule: string;
  /** Of one that is incomplete for want of tries: when it failed; null for others. */
  readonly failedAt: Date | null;
}

/** One schedule of one client of a policy. */
export interface Entry extends Due {
  readonly policy: PolicySpec;
  readonly schedule: Schedule;
  readonly times: OpenTimes;
  readonly client: string;
  /** A job of this policy and client that has not ended, whatever its schedule. */
  readonly running: OpenJob | undefined;
  /** Since when scheduling is suspended, of the policy or of all. */
  readonly suspendedSince: Date | null;
}

export interface PolicyState {
  readonly plan: PolicyPlan;
  /** When the policy was made; stands in where there is no history of an entry. */
  readonly knownSince: Date;
  readonly suspendedSince: Date | null;
  readonly history: (schedule: string, client: string) => History | undefined;
  /** Of several jobs the newest that runs; where none does, the newest. */
  readonly running: (client: string) => OpenJob | undefined;
}

export interface Question {
  /** The cluster's rule for what failed. */
  readonly retry: RetryRule;
  readonly asked: Date;
  /** What time it is, where it is asked as if it were another one; good backups are not believed that come later. */
  readonly now?: Date | undefined;
  /** Of this client only. */
  readonly client?: string | undefined;
}

const NO_FAILURES: readonly Failure[] = [];

/** All entries of a policy with their due times. */
export function agenda(state: PolicyState, question: Question): Entry[] {
  const { policy, schedules, effectiveFrom } = state.plan;
  const { suspendedSince } = state;
  const asked = question.asked.getTime();
  const now = (question.now ?? question.asked).getTime();
  const retry = state.plan.retry ?? question.retry;
  const entries: Entry[] = [];
  for (const client of policy.clients) {
    if (question.client !== undefined && question.client !== client) continue;
    const userFailures = failuresOfUsers(state, client);
    const running = state.running(client);
    for (const { schedule, times, runDays, fuller } of schedules) {
      const known = state.history(schedule.name, client) ?? newHistory(state.knownSince);
      const history = believed(known, now);
      const lastFuller = fuller.length === 0 ? null : lastOf(state, fuller, { client, now });
      const { dueAt, closesAt, cause, readyAt, goesOn } = due({
        active: policy.active,
        effectiveFrom,
        schedule,
        times,
        runDays,
        history,
        lastFuller,
        userFailures,
        retry,
        incomplete: running && incompleteOf(running, schedule, history),
        asked,
      });
      // Spelt out: there are hundreds of thousands, and an object that is spread takes ten times as long.
      entries.push({
        policy,
        schedule,
        times,
        client,
        running,
        suspendedSince,
        dueAt,
        closesAt,
        cause,
        readyAt,
        goesOn,
      });
    }
  }
  return entries;
}

/** Its failure is known and no good backup came after it. */
function incompleteOf(
  { job, schedule: of, failedAt }: OpenJob,
  { name }: Schedule,
  known: History,
) {
  if (failedAt === null || of !== name) return undefined;
  return known.failures.some((failure) => failure.job === job) ? job : undefined;
}

function newHistory(knownSince: Date): History {
  return { knownSince, heldUntil: null, lastGood: null, failures: [] };
}

function failuresOfUsers({ plan, history }: PolicyState, client: string): readonly Failure[] {
  if (plan.userSchedules.length === 0) return NO_FAILURES;
  return plan.userSchedules.flatMap((name) => history(name, client)?.failures ?? NO_FAILURES);
}

/** A full makes the incrementals of its day superfluous, as a monthly full does a weekly one. */
function lastOf(
  state: PolicyState,
  schedules: readonly string[],
  { client, now }: { readonly client: string; readonly now: number },
) {
  let last: GoodBackup | null = null;
  for (const name of schedules) {
    const history = state.history(name, client);
    const good = history === undefined ? null : believed(history, now).lastGood;
    if (good !== null && (last === null || good.at > last.at)) last = good;
  }
  return last;
}

/**
 * What is to be submitted or gone on with now: of each policy and client at most one, nothing new where
 * a job has not ended, nothing at all where scheduling is suspended; the fullest of those that are due, and of these the rarest, since it may
 * make the others superfluous. Higher priorities come first, then the longest overdue.
 */
export function submissions(entries: readonly Entry[], now: Date): Entry[] {
  const chosen = new Map<string, Entry>();
  for (const entry of entries) {
    if (entry.dueAt === null || entry.dueAt > now) continue;
    if (entry.suspendedSince !== null) continue;
    if (entry.running !== undefined && entry.goesOn === undefined) continue;
    const key = `${entry.policy.name} ${entry.client}`;
    const rival = chosen.get(key);
    if (rival === undefined || goesBefore(entry, rival)) chosen.set(key, entry);
  }
  return [...chosen.values()].sort(
    (a, b) => priorityOf(b) - priorityOf(a) || Number(a.dueAt) - Number(b.dueAt),
  );
}

function priorityOf({ policy, schedule }: Entry): number {
  return schedule.priority ?? policy.priority;
}

function goesBefore(a: Entry, b: Entry): boolean {
  const order =
    FULLNESS[a.schedule.type] - FULLNESS[b.schedule.type] ||
    rarityMs(a.schedule) - rarityMs(b.schedule) ||
    Number(b.dueAt) - Number(a.dueAt);
  return order > 0;
}

/** The same for the same run, so that asking for it again makes no second job. */
export function requestIdOf({ policy, schedule, client, dueAt }: Entry): string {
  return uuidOf([policy.name, schedule.name, client, dueAt?.toISOString()].join('\n'));
}
