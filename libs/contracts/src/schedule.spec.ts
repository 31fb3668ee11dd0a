import { describe, expect, it } from '@jest/globals';
import { policySpec } from './policy.js';

const base = { name: 'p', clients: ['web1'], selections: ['/etc'] };

/** The first thing that is wrong, as `place: message`. */
function wrong(rest: object): string | undefined {
  const issue = policySpec.safeParse({ ...base, ...rest }).error?.issues[0];
  return issue && `${issue.path.join('.')}: ${issue.message}`;
}
const wrongSchedule = (schedule: object) =>
  wrong({ schedules: [{ name: 's', type: 'full', ...schedule }] });

describe('a policy', () => {
  it.each([
    [{ selections: ['/a', '/\u0000'] }, /^selections.1: a text holds no NUL character/],
    [{ excludes: ['\ud800'] }, /^excludes.0: a text holds no NUL .* half of a surrogate pair/],
    [{ keyword: '\u0000' }, /^keyword: a text holds no NUL/],
    [{ timeZone: 'Berlin' }, /^timeZone: a time zone is a name of the IANA list/],
    [{ timeZone: '+01:00' }, /^timeZone: /],
    [{ selections: ['/a', 'NEW_STREAM', '/b'] }, /^selections: NEW_STREAM is allowed only where/],
    [{ multipleStreams: true, selections: ['NEW_STREAM'] }, /^selections: there is no path/],
    [
      { multipleStreams: true, selections: ['/a', 'NEW_STREAM'] },
      /^selections: a path must follow/,
    ],
    [{ perClient: { db1: {} } }, /^perClient.db1: "db1" is not one of this policy's clients/],
    [
      { perClient: { web1: { selections: ['NEW_STREAM', '/a'] } } },
      /^perClient.web1.selections: NEW_STREAM/,
    ],
    [{ hooks: { before: { script: '../x' } } }, /^hooks.before.script: a hook is the bare name/],
    [{ hooks: { befor: { script: 'x' } } }, /befor/],
    [{ hooks: { before: { script: 'x', timeout: 9 } } }, /timeout/],
    [{ jobsMax: 0 }, /^jobsMax: /],
    [{ effectiveFrom: 'tomorrow' }, /^effectiveFrom: /],
    [{ retry: { tries: 2 } }, /^retry.periodHours: /],
  ])('%j is refused, and the message names the field', (rest, message) => {
    expect(wrong(rest)).toMatch(message);
  });

  it('has each client once, however often it is named', () => {
    const { clients } = policySpec.parse({ ...base, clients: ['b', 'a', 'b'] });
    expect(clients).toEqual(['b', 'a']);
  });

  it('of the first release still loads, as it was meant', () => {
    const stored = {
      ...{ name: 'p', active: true, clients: ['web1'], selections: ['/etc'], excludes: [] },
      schedules: [{ name: 'daily', type: 'differential', frequency: '24h', retention: '14d' }],
      ...{ storage: 'default', priority: 0, crossMountPoints: false, compressionLevel: 1 },
    };
    expect(policySpec.parse(stored)).toEqual({
      ...stored,
      ...{ timeZone: 'UTC', multipleStreams: false },
    });
  });
});

describe('a schedule', () => {
  const calendar = { weekdays: [{ day: 'mon' }] };
  it.each([
    [{ frequency: '1d', calendar }, /calendar: a schedule has a frequency or a calendar, not both/],
    [{ calendar: {} }, /calendar: a calendar needs at least one of/],
    [{ calendar: { dates: ['2026-02-30'] } }, /calendar.dates.0: a date is a day that exists/],
    [{ calendar: { weekdays: [{ day: 'monday' }] } }, /day: a weekday is mon, tue, .* or sun/],
    [{ calendar: { weekdays: [{ day: 'mon', weeks: [6] }] } }, /weeks.0: weeks are "every", or/],
    [{ calendar: { monthDays: [32] } }, /monthDays.0: a day of the month is 1 to 31, or "last"/],
    [{ windows: [{ from: '25:00', for: '1h' }] }, /windows.0.from: a time of day is written/],
    [{ windows: [{ from: '18:00', for: '8d' }] }, /windows.0.for: a window lasts at most 7 days/],
    [{ windows: [{ from: '18:00' }] }, /windows.0.for: /],
    [{ windows: [{ days: ['noon'], from: '18:00', for: '1h' }] }, /days: days are "every", or/],
    [{ retention: 25 }, /retention: a retention is a length of time .* level from 0 to 24/],
    [{ type: 'user', frequency: '1d' }, /frequency: a user schedule never runs by itself/],
    [
      { type: 'differential', synthetic: true },
      /synthetic: only a schedule of type full can be synthetic/,
    ],
    [{ type: 'archive' }, /type: .*"full"\|"differential"\|"cumulative"\|"user"/],
  ])('%j is refused, and the message says what is allowed', (schedule, message) => {
    expect(wrongSchedule(schedule)).toMatch(message);
  });

  it('of every kind is taken as it is meant', () => {
    for (const schedule of [
      { calendar: { ...calendar, monthDays: [1, 'last'], retriesAfterRunDay: true } },
      { frequency: '1d', windows: [{ days: ['fri'], from: '18:00', for: '7d' }], retention: 9 },
      { synthetic: true, frequency: '4w' },
      { exclude: { weekdays: [{ day: 'sun', weeks: [1, 'last'] }] }, retention: 'infinite' },
    ]) {
      expect(wrongSchedule(schedule)).toBeUndefined();
    }
  });
});
