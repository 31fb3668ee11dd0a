import { durationMs } from '#kernel/duration.js';
import type { Entry } from './agenda.js';

export interface Hold {
  readonly schedule: string;
  readonly client: string;
  readonly until: Date;
}

/** What has no window is not put off for longer, however rarely it runs. */
const WITHOUT_WINDOW_MS_MAX = 86_400_000;

/**
 * What a change of a policy makes due that was not due before. It waits: for the next window to
 * open, without windows for one frequency or a day, but no longer than it would have without the
 * change. A first backup that nothing holds back is due at once.
 *
 * `before` are the entries of the policy as it was, `after` those that it has now and that are known
 * from earlier, both asked at `now`.
 */
export function holds(before: readonly Entry[], after: readonly Entry[], now: Date): Hold[] {
  const dueBefore = new Map(before.map((entry) => [keyOf(entry), entry.dueAt]));
  return after.flatMap((entry) => {
    if (entry.dueAt === null || entry.dueAt > now) return [];
    const planned = dueBefore.get(keyOf(entry)) ?? null;
    if (planned !== null && planned <= now) return [];
    const until = heldUntil(entry, now);
    if (until === null) return [];
    const { schedule, client } = entry;
    return [
      {
        ...{ schedule: schedule.name, client },
        until: planned !== null && planned < until ? planned : until,
      },
    ];
  });
}

function heldUntil({ schedule, times, cause }: Entry, now: Date): Date | null {
  // A calendar's next run day is the first one after that, also where one begins at this very instant.
  if (schedule.frequency === undefined) return new Date(now.getTime() + 1);
  if (cause.kind === 'new' && !times.hasWindows) return null;
  const closes = times.hasWindows ? times.closesAfter(now.getTime()) : null;
  const aWhile = Math.min(durationMs(schedule.frequency), WITHOUT_WINDOW_MS_MAX);
  return new Date(closes ?? now.getTime() + aWhile);
}

function keyOf({ schedule, client }: Entry): string {
  return `${schedule.name} ${client}`;
}
