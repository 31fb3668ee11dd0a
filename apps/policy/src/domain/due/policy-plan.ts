import type { PolicySpec } from '#contracts/policy.js';
import type { Schedule, ScheduleType } from '#contracts/schedule.js';
import { durationMs } from '#kernel/duration.js';
import { OpenTimes } from '../time/open-times.js';
import { RunDays } from '../time/run-days.js';
import { zoneOf } from '../time/zone.js';
import type { RetryRule } from './retry.js';

/** How much of a client an image holds by itself. What a user chose stands for nothing else. */
export const FULLNESS: Readonly<Record<ScheduleType, number>> = {
  user: -1,
  differential: 0,
  cumulative: 1,
  full: 2,
};

/** A schedule with its windows and calendar made ready to be asked. */
export interface SchedulePlan {
  readonly schedule: Schedule;
  readonly times: OpenTimes;
  readonly runDays: RunDays | undefined;
  /** Names of the schedules whose good backups count for this one, too. */
  readonly fuller: readonly string[];
}

/** A policy made ready to be asked: worth keeping, since it remembers days that it worked out. */
export interface PolicyPlan {
  readonly policy: PolicySpec;
  /** In milliseconds; 0 if it always was. */
  readonly effectiveFrom: number;
  /** In place of the cluster's rule. */
  readonly retry: RetryRule | undefined;
  readonly schedules: readonly SchedulePlan[];
  readonly userSchedules: readonly string[];
}

export function planOf(policy: PolicySpec): PolicyPlan {
  const { schedules, effectiveFrom, retry } = policy;
  const zone = zoneOf(policy.timeZone);
  return {
    policy,
    effectiveFrom: effectiveFrom === undefined ? 0 : Date.parse(effectiveFrom),
    retry: retry && {
      triesMax: retry.tries,
      windowMs: retry.periodHours * 3_600_000,
      delayMs: retry.delayMinutes * 60_000,
    },
    schedules: schedules.map((schedule) => {
      const times = new OpenTimes(zone, schedule);
      return {
        schedule,
        times,
        runDays: schedule.calendar && new RunDays(times, schedule.calendar),
        fuller: schedules.filter((other) => countsFor(other, schedule)).map(({ name }) => name),
      };
    }),
    userSchedules: schedules.filter(({ type }) => type === 'user').map(({ name }) => name),
  };
}

/** The field's rule: what holds more counts, and of the same kind what runs as rarely or more so. */
function countsFor(other: Schedule, schedule: Schedule): boolean {
  if (other.type === 'user' || other === schedule) return false;
  if (other.type !== schedule.type) return FULLNESS[other.type] > FULLNESS[schedule.type];
  return schedule.frequency !== undefined && rarityMs(other) >= durationMs(schedule.frequency);
}

/** How long it is from run to run; 0 for what has no frequency. */
export function rarityMs({ frequency }: Schedule): number {
  return frequency === undefined ? 0 : durationMs(frequency);
}
