import { WEEKDAYS, type DayRule, type Weekday } from '#contracts/schedule.js';
import { DAY_MS } from './zone.js';

/** The number of a date such as `2026-12-24`. */
export function dayOfDate(date: string): number {
  return Date.parse(`${date}T00:00:00Z`) / DAY_MS;
}

/** `2026-12-24` */
export function dateOfDay(day: number): string {
  return new Date(day * DAY_MS).toISOString().slice(0, 10);
}

export function weekdayOf(day: number): Weekday {
  // Day 0, 1970-01-01, was a Thursday.
  return WEEKDAYS[(((day + 3) % 7) + 7) % 7]!;
}

/** Whether a day is one of those that a rule names. No rule names none. */
export function dayMatcher(rule: DayRule | undefined): (day: number) => boolean {
  const dates = new Set(rule?.dates?.map(dayOfDate));
  const weekdays = new Map<Weekday, Set<number | 'last' | 'every'>>();
  for (const { day, weeks } of rule?.weekdays ?? []) {
    const known = weekdays.get(day) ?? new Set();
    weekdays.set(day, known);
    for (const week of weeks === 'every' ? [weeks] : weeks) known.add(week);
  }
  const monthDays = new Set<number | 'last'>(rule?.monthDays);
  if (dates.size + weekdays.size + monthDays.size === 0) return () => false;
  return (day) => {
    if (dates.has(day)) return true;
    const weeks = weekdays.get(weekdayOf(day));
    if (weeks?.has('every')) return true;
    if (weeks === undefined && monthDays.size === 0) return false;
    const { number, left } = placeInMonth(day);
    if (monthDays.has(number) || (left === 0 && monthDays.has('last'))) return true;
    return (
      weeks !== undefined && (weeks.has(Math.ceil(number / 7)) || (left < 7 && weeks.has('last')))
    );
  };
}

/** Its number in the month, and how many days of the month come after it. */
function placeInMonth(day: number): { number: number; left: number } {
  const date = new Date(day * DAY_MS);
  const number = date.getUTCDate();
  const length = new Date(Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + 1, 0)).getUTCDate();
  return { number, left: length - number };
}
