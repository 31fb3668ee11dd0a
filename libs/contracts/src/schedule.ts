import { z } from 'zod';
import { durationMs } from '#kernel/duration.js';
import { imageKind, scheduleName, streamsPerDrive, unitName } from './names.js';

/** A length of time as people write it: `30m`, `24h`, `7d`, `2w`. */
export const duration = z
  .string()
  .regex(
    /^[1-9]\d{0,4}[mhdw]$/,
    'a length of time is a whole number from 1 and m, h, d or w, such as "24h"',
  )
  .meta({ allowed: 'a number and m, h, d or w, such as "24h"' });

export const WEEKDAYS = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'] as const;
export const weekday = z.enum(WEEKDAYS, {
  error: `a weekday is ${WEEKDAYS.slice(0, -1).join(', ')} or ${WEEKDAYS.at(-1)}`,
});
export type Weekday = z.infer<typeof weekday>;

const RULES_MAX = 400;

const date = z.iso.date({ error: 'a date is a day that exists, written as "2026-12-24"' });

/** A whole number of a range, whatever is wrong with it said in the same words. */
function wholeNumber(min: number, max: number, error: string) {
  return z.int({ error }).min(min, { error }).max(max, { error });
}

const WEEKS = 'weeks are "every", or a list of 1 to 5 (which one of the month) and "last"';
const weeks = z.union(
  [
    z.literal('every'),
    z
      .array(z.union([wholeNumber(1, 5, WEEKS), z.literal('last')], { error: WEEKS }))
      .min(1, { error: WEEKS })
      .max(6),
  ],
  { error: WEEKS },
);

const MONTH_DAY = 'a day of the month is 1 to 31, or "last"';
const monthDay = z.union([wholeNumber(1, 31, MONTH_DAY), z.literal('last')], { error: MONTH_DAY });

const dayRuleFields = {
  dates: z.array(date).max(RULES_MAX).optional().describe('single days, such as "2026-12-24"'),
  weekdays: z
    .array(
      z.strictObject({
        day: weekday.describe('the weekday'),
        weeks: weeks
          .default('every')
          .describe('which of the month: "every", or of 1 to 5 and "last"'),
      }),
    )
    .max(RULES_MAX)
    .optional()
    .describe('weekdays; `weeks` picks the first to fifth, or the last, of the month'),
  monthDays: z.array(monthDay).max(32).optional().describe('days of the month, 1 to 31 or "last"'),
};

/** Days of the calendar: those of any of the three lists. */
export const dayRule = z.strictObject(dayRuleFields);
export type DayRule = z.infer<typeof dayRule>;

export const calendar = z
  .strictObject({
    ...dayRuleFields,
    retriesAfterRunDay: z
      .boolean()
      .default(false)
      .describe('whether what did not run on its day is still done in a later window'),
  })
  .refine(({ dates, weekdays, monthDays }) => [dates, weekdays, monthDays].some((l) => l?.length), {
    error: 'a calendar needs at least one of dates, weekdays and monthDays',
  });
export type Calendar = z.infer<typeof calendar>;

export const WINDOW_MAX = '7d';

export const startWindow = z.strictObject({
  days: z
    .union([z.literal('every'), z.array(weekday).min(1).max(7)], {
      error: `days are "every", or a list of ${WEEKDAYS.join(', ')}`,
    })
    .default('every')
    .describe('the weekdays on which it opens'),
  from: z
    .string()
    .regex(/^([01]\d|2[0-3]):[0-5]\d$/, 'a time of day is written as "18:00" (00:00 to 23:59)')
    .describe("the time of day at which it opens, in the policy's time zone"),
  for: duration
    .refine((text) => durationMs(text) <= durationMs(WINDOW_MAX), {
      error: `a window lasts at most 7 days ("${WINDOW_MAX}"); for "at any time" leave windows out`,
    })
    .describe('how long it is open, also past midnight'),
});
export type StartWindow = z.infer<typeof startWindow>;

export const scheduleType = z.enum([...imageKind.options, 'user']);
export type ScheduleType = z.infer<typeof scheduleType>;

export const RETENTION_LEVEL_MAX = 24;

export const retentionPeriod = z.union([duration, z.literal('infinite')], {
  error: 'a period is a length of time such as "4w", or "infinite"',
});

const RETENTION = `a retention is a length of time such as "14d", "infinite", or a level from 0 to ${RETENTION_LEVEL_MAX}`;

/** How long what is backed up is kept: a length of time, for ever, or a level that stands for one. */
export const retention = z.union(
  [duration, z.literal('infinite'), wholeNumber(0, RETENTION_LEVEL_MAX, RETENTION)],
  { error: RETENTION },
);
export type Retention = z.infer<typeof retention>;

export const schedule = z
  .strictObject({
    name: scheduleName.describe('unique in the policy'),
    type: scheduleType.describe(
      'what it makes; of type user: its windows say when clients may start one themselves',
    ),
    synthetic: z
      .boolean()
      .optional()
      .describe(
        'of type full: made by media servers of the last full and the incrementals since; no client is read',
      ),
    frequency: duration
      .optional()
      .describe(
        'due that long after the last good backup; with neither this nor a calendar: by hand',
      ),
    calendar: calendar.optional().describe('due once on each day that it names'),
    windows: z
      .array(startWindow)
      .min(1)
      .max(100)
      .optional()
      .describe('when a backup may start; left out: at any time'),
    exclude: dayRule.optional().describe('days on which nothing starts'),
    retention: retention.default('14d').describe('how long its images are kept'),
    storage: unitName.optional().describe("in place of the policy's storage"),
    priority: z.int().min(0).max(99_999).optional().describe("in place of the policy's priority"),
    multiplexing: streamsPerDrive
      .optional()
      .describe(
        'streams on the drive that a job of it gets, its own included; left out: as many as ' +
          'the storage unit allows (maxStreamsPerDrive), which is never exceeded',
      ),
  })
  .superRefine(({ type, synthetic, frequency, calendar: days }, context) => {
    const wrong = (field: string, message: string) =>
      context.addIssue({ code: 'custom', path: [field], message });
    if (frequency !== undefined && days !== undefined) {
      wrong('calendar', 'a schedule has a frequency or a calendar, not both');
    }
    if (synthetic && type !== 'full') {
      wrong('synthetic', 'only a schedule of type full can be synthetic');
    }
    if (type !== 'user') return;
    const why = 'a user schedule never runs by itself; its windows say when users may start one';
    if (frequency !== undefined) wrong('frequency', why);
    if (days !== undefined) wrong('calendar', why);
  });
export type Schedule = z.infer<typeof schedule>;
