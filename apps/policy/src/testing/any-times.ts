import fc from 'fast-check';
import { WEEKDAYS, type DayRule, type StartWindow } from '#contracts/schedule.js';

const anyWeekday = fc.constantFrom(...WEEKDAYS);
const two = (number: number) => String(number).padStart(2, '0');

const anyWindow: fc.Arbitrary<StartWindow> = fc.record({
  days: fc.oneof(
    fc.constant('every' as const),
    fc.uniqueArray(anyWeekday, { minLength: 1, maxLength: 3 }),
  ),
  from: fc
    .tuple(fc.integer({ min: 0, max: 23 }), fc.constantFrom(0, 1, 15, 30, 45))
    .map(([hours, minutes]) => `${two(hours)}:${two(minutes)}`),
  for: fc.constantFrom('1m', '30m', '1h', '90m', '8h', '12h', '1d', '30h', '3d', '7d'),
});

/** Of the years 2024 to 2027. */
const anyDate = fc
  .integer({ min: Date.UTC(2024, 0, 1), max: Date.UTC(2027, 11, 31) })
  .map((ms) => new Date(ms).toISOString().slice(0, 10));

export const anyDayRule: fc.Arbitrary<DayRule> = fc.record({
  dates: fc.array(anyDate, { maxLength: 4 }),
  weekdays: fc.array(
    fc.record({
      day: anyWeekday,
      weeks: fc.oneof(
        fc.constant('every' as const),
        fc.array(fc.constantFrom(1, 2, 3, 4, 5, 'last' as const), { minLength: 1, maxLength: 3 }),
      ),
    }),
    { maxLength: 3 },
  ),
  monthDays: fc.array(fc.oneof(fc.integer({ min: 1, max: 31 }), fc.constant('last' as const)), {
    maxLength: 3,
  }),
});

/** What says when a backup may start: windows or none, excluded days or none. */
export const anyTimes = fc.record(
  {
    windows: fc.array(anyWindow, { minLength: 1, maxLength: 3 }),
    exclude: anyDayRule,
  },
  { requiredKeys: [] },
);
