import type { PolicySpec, Schedule } from '#contracts/policy.js';
import type { ImageKind } from '#contracts/names.js';
import { uuidOf } from '#kernel/ids.js';
import { due, type Due, type RetryRule } from './due.js';
import type { GoodBackup, History } from './history.js';

/** One schedule of one client of a policy. */
export interface Entry extends Due {
  readonly policy: PolicySpec;
  readonly schedule: Schedule;
  readonly client: string;
  /** A job of this policy and client that has not ended, whatever its schedule. */
  readonly running: number | undefined;
}

export interface PolicyState {
  readonly policy: PolicySpec;
  /** When the policy was made; stands in where there is no history of an entry. */
  readonly knownSince: Date;
  readonly history: (schedule: string, client: string) => History | undefined;
  readonly running: (client: string) => number | undefined;
}

/** How much of a client an image holds by itself. */
const FULLNESS: Record<ImageKind, number> = { differential: 0, cumulative: 1, full: 2 };

/** All entries of a policy with their due times. */
export function agenda(state: PolicyState, retry: RetryRule): Entry[] {
  const { policy } = state;
  return policy.clients.flatMap((client) =>
    policy.schedules.map((schedule) => ({
      policy,
      schedule,
      client,
      running: state.running(client),
      ...due({
        active: policy.active,
        schedule,
        history: state.history(schedule.name, client) ?? newHistory(state.knownSince),
        lastFuller: lastFuller(state, schedule, client),
        retry,
      }),
    })),
  );
}

export function newHistory(knownSince: Date): History {
  return { knownSince, lastGood: null, failures: [] };
}

/** A full makes the incrementals of its day superfluous, as a cumulative does the differentials. */
function lastFuller(state: PolicyState, schedule: Schedule, client: string): GoodBackup | null {
  const goods = state.policy.schedules
    .filter(({ type }) => FULLNESS[type] > FULLNESS[schedule.type])
    .map(({ name }) => state.history(name, client)?.lastGood ?? null)
    .filter((good) => good !== null);
  return goods.reduce<GoodBackup | null>((a, b) => (a !== null && a.at >= b.at ? a : b), null);
}

/**
 * What is to be submitted now: of each policy and client at most one, none where a job still runs;
 * the fullest of those that are due, since it may make the others superfluous. Higher priorities come
 * first, then the longest overdue.
 */
export function submissions(entries: readonly Entry[], now: Date): Entry[] {
  const chosen = new Map<string, Entry>();
  for (const entry of entries) {
    if (entry.dueAt === null || entry.dueAt > now || entry.running !== undefined) continue;
    const key = `${entry.policy.name} ${entry.client}`;
    const rival = chosen.get(key);
    if (rival === undefined || goesBefore(entry, rival)) chosen.set(key, entry);
  }
  return [...chosen.values()].sort(
    (a, b) => b.policy.priority - a.policy.priority || Number(a.dueAt) - Number(b.dueAt),
  );
}

function goesBefore(a: Entry, b: Entry): boolean {
  const fuller = FULLNESS[a.schedule.type] - FULLNESS[b.schedule.type];
  return fuller === 0 ? Number(a.dueAt) < Number(b.dueAt) : fuller > 0;
}

/** The same for the same run, so that asking for it again makes no second job. */
export function requestIdOf({ policy, schedule, client, dueAt }: Entry): string {
  return uuidOf([policy.name, schedule.name, client, dueAt?.toISOString()].join('\n'));
}
