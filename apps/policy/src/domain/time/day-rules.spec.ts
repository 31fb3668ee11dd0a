import { describe, expect, it } from '@jest/globals';
import type { DayRule } from '#contracts/schedule.js';
import { dateOfDay, dayMatcher, dayOfDate, weekdayOf } from './day-rules.js';

function datesOf(rule: DayRule, month: string): number[] {
  const first = dayOfDate(`${month}-01`);
  return Array.from({ length: 31 }, (_, i) => first + i)
    .filter((day) => dateOfDay(day).startsWith(month))
    .filter(dayMatcher(rule))
    .map((day) => Number(dateOfDay(day).slice(8)));
}

describe('a rule for days', () => {
  it('names single dates', () => {
    expect(datesOf({ dates: ['2026-12-24', '2026-12-31'] }, '2026-12')).toEqual([24, 31]);
    expect(datesOf({ dates: ['2026-12-24'] }, '2025-12')).toEqual([]);
  });

  it('names weekdays of every week, of some, and the last of a month', () => {
    expect(weekdayOf(dayOfDate('2026-11-26'))).toBe('thu');
    const weekdays = (weeks: (number | 'last')[] | 'every') => ({
      weekdays: [{ day: 'sun' as const, weeks }],
    });
    expect(datesOf(weekdays('every'), '2026-11')).toEqual([1, 8, 15, 22, 29]);
    expect(datesOf(weekdays([1, 3]), '2026-11')).toEqual([1, 15]);
    expect(datesOf(weekdays([5]), '2026-12')).toEqual([]);
    expect(datesOf(weekdays(['last']), '2026-11')).toEqual([29]);
    expect(datesOf(weekdays(['last']), '2026-12')).toEqual([27]);
  });

  it('names days of the month, and the last one in leap years and others', () => {
    expect(datesOf({ monthDays: [1, 31, 'last'] }, '2026-11')).toEqual([1, 30]);
    expect(datesOf({ monthDays: ['last'] }, '2028-02')).toEqual([29]);
    expect(datesOf({ monthDays: ['last'] }, '2027-02')).toEqual([28]);
  });

  it('that is empty or missing names none', () => {
    expect(datesOf({}, '2026-11')).toEqual([]);
    expect(dayMatcher(undefined)(20_000)).toBe(false);
  });
});
