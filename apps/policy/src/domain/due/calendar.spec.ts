import { describe, expect, it } from '@jest/globals';
import { policySpec } from '#contracts/policy.js';
import { agenda, type Entry } from './agenda.js';
import type { Failure, History } from './history.js';
import { planOf } from './policy-plan.js';
import { reasonOf } from './reason.js';

const retry = { triesMax: 2, windowMs: 12 * 3_600_000, delayMs: 600_000 };
const at = (text: string) => new Date(`2026-${text}Z`);
const since = at('11-01T00:00');
const good = (text: string, planned = text) => ({ job: 5, at: at(text), plannedAt: at(planned) });
const failed = (text: string, status = 58): Failure => ({ job: 7, at: at(text), status });

// The 26th of November 2026 is a Thursday.
const mondays = { weekdays: [{ day: 'mon' }] };
const evenings = [{ from: '18:00', for: '12h' }];

interface Case {
  readonly asked: string;
  readonly schedule?: object;
  readonly policy?: object;
  readonly history?: Partial<History>;
}

function ask({ asked, schedule, policy, history }: Case): Entry {
  const plan = planOf(
    policySpec.parse({
      ...{ name: 'p', clients: ['web1'], selections: ['/etc'] },
      schedules: [{ name: 's', type: 'full', calendar: mondays, ...schedule }],
      ...policy,
    }),
  );
  const known: History = { knownSince: since, heldUntil: null, lastGood: null, failures: [] };
  const state = {
    ...{ plan, knownSince: since, suspendedSince: null, running: () => undefined },
    history: () => ({ ...known, ...history }),
  };
  return agenda(state, { retry, asked: at(asked) })[0]!;
}

const dueAt = (question: Case) => ask(question).dueAt?.toISOString().slice(5, 16);
const reason = (question: Case) => {
  const entry = ask(question);
  return reasonOf(entry, entry.times, at(question.asked).getTime());
};

describe('a calendar schedule', () => {
  it('is due just after midnight of its day where a window is open then', () => {
    expect(dueAt({ asked: '11-26T12:00' })).toBe('11-30T00:00');
    const nights = [{ days: ['sun'], from: '22:00', for: '4h' }];
    expect(dueAt({ asked: '11-26T12:00', schedule: { windows: nights } })).toBe('11-30T00:00');
  });

  it('is due on its day though a clock that was ahead made a good backup for a later one', () => {
    const lastGood = { job: 5, at: new Date('2027-11-29'), plannedAt: new Date('2027-11-29') };
    expect(dueAt({ asked: '11-26T12:00', history: { lastGood } })).toBe('11-30T00:00');
    expect(dueAt({ asked: '11-30T12:00', history: { lastGood } })).toBe('11-30T00:00');
  });

  it('is due when the window of that day opens, in the time zone of its policy', () => {
    const days = [{ days: ['mon'], from: '18:00', for: '12h' }];
    const question = {
      ...{ asked: '11-26T12:00', schedule: { windows: days } },
      policy: { timeZone: 'Europe/Berlin' },
    };
    expect(dueAt(question)).toBe('11-30T17:00');
    expect(ask(question).closesAt).toEqual(at('12-01T05:00'));
    expect(reason(question)).toBe(
      'run day mon 2026-11-30 of the calendar; in the start window ' +
        'mon 2026-11-30 18:00 Europe/Berlin to tue 2026-12-01 06:00 Europe/Berlin',
    );
  });

  it('runs once on its day, also when its run begins only after midnight or was by hand', () => {
    const done = { lastGood: good('12-01T00:10', '11-30T18:00') };
    const schedule = {
      calendar: { weekdays: [{ day: 'mon' }, { day: 'tue' }] },
      windows: evenings,
    };
    expect(dueAt({ asked: '12-01T01:00', schedule, history: done })).toBe('12-01T00:00');
    const byHand = { lastGood: good('11-30T03:00') };
    expect(dueAt({ asked: '11-30T12:00', history: byHand })).toBe('12-07T00:00');
    expect(dueAt({ asked: '11-26T12:00', history: { lastGood: good('11-24T00:00') } })).toBe(
      '11-30T00:00',
    );
  });

  it('is left out when its day is over, unless retries are allowed after it', () => {
    const late = { asked: '12-01T09:00', schedule: { windows: evenings } };
    expect(dueAt(late)).toBe('12-07T00:00');
    const calendar = { ...mondays, retriesAfterRunDay: true };
    expect(dueAt({ ...late, schedule: { windows: evenings, calendar } })).toBe('12-01T18:00');
  });

  it('is tried again after a failure on its day, by the rule, and no later than the next run', () => {
    const history = { failures: [failed('11-30T00:30')] };
    expect(dueAt({ asked: '11-30T00:31', history })).toBe('11-30T00:40');
    const twice = { failures: [failed('11-30T00:30'), failed('11-30T00:50')] };
    expect(dueAt({ asked: '11-30T01:00', history: twice })).toBe('11-30T12:30');
    const evening = { failures: [failed('11-30T20:00'), failed('11-30T20:30')] };
    expect(dueAt({ asked: '11-30T21:00', history: evening })).toBe('12-07T00:00');
    const daily = { calendar: { monthDays: Array.from({ length: 31 }, (_, i) => i + 1) } };
    expect(dueAt({ asked: '11-30T21:00', history: evening, schedule: daily })).toBe('12-01T00:00');
  });

  it('uses up no try when a window closed before its job could start', () => {
    const closed = { failures: [failed('11-30T00:20'), failed('11-30T06:00', 196)] };
    const question = { asked: '11-30T06:01', schedule: { windows: evenings }, history: closed };
    expect(dueAt(question)).toBe('11-30T18:00');
    expect(reason(question)).toContain(
      'job 7 ended with status 196 (client backup was not attempted because backup window closed); ' +
        'this used up no try; waits for the start window mon 2026-11-30 18:00 UTC',
    );
  });

  it('runs on no excluded day, and not before its policy takes effect', () => {
    const exclude = { dates: ['2026-11-30'] };
    expect(dueAt({ asked: '11-26T12:00', schedule: { exclude } })).toBe('12-07T00:00');
    const policy = { effectiveFrom: '2026-12-07T00:00:01Z' };
    expect(dueAt({ asked: '11-26T12:00', policy })).toBe('12-14T00:00');
  });

  it('is not due on the day on which it was made, once its hour has passed', () => {
    const made = { knownSince: at('11-30T10:00') };
    expect(dueAt({ asked: '11-30T10:01', history: made })).toBe('12-07T00:00');
    const windows = [{ from: '18:00', for: '2h' }];
    expect(dueAt({ asked: '11-30T10:01', history: made, schedule: { windows } })).toBe(
      '11-30T18:00',
    );
  });

  it('says when its calendar names no day any more', () => {
    const calendar = { dates: ['2026-11-02'] };
    expect(reason({ asked: '11-26T12:00', schedule: { calendar } })).toMatch(/names no day/);
  });
});

describe('a frequency schedule with windows', () => {
  const nightly = { calendar: undefined, frequency: '1d', windows: evenings };
  const nights = (asked: string, history: Partial<History>): Case => ({
    ...{ asked, history, schedule: nightly },
  });

  it('waits for its window, also when it is new', () => {
    expect(dueAt(nights('11-26T12:00', { knownSince: at('11-26T11:00') }))).toBe('11-26T18:00');
    expect(reason(nights('11-26T12:00', { knownSince: at('11-26T11:00') }))).toBe(
      'no good backup yet; waits for the start window thu 2026-11-26 18:00 UTC to fri 2026-11-27 06:00 UTC',
    );
  });

  it('goes on in the window that it is ready in', () => {
    const question = nights('11-26T12:00', { lastGood: good('11-25T20:30') });
    expect(dueAt(question)).toBe('11-26T20:30');
    expect(reason(question)).toMatch(/^1d after the last good backup .*; in the start window thu/);
  });

  it('moves into the next window when it missed one', () => {
    const missed = { lastGood: good('11-24T20:30') };
    expect(dueAt(nights('11-26T05:59', missed))).toBe('11-25T20:30');
    expect(dueAt(nights('11-26T06:00', missed))).toBe('11-26T18:00');
  });

  it('without windows closes where an excluded day begins: nothing that waits starts on it', () => {
    const closes = (exclude: object) =>
      ask({
        asked: '11-26T12:00',
        schedule: { calendar: undefined, frequency: '1d', exclude },
        policy: { timeZone: 'Europe/Berlin' },
      }).closesAt;
    expect(closes({ dates: ['2026-11-28'] })).toEqual(at('11-27T23:00'));
    expect(closes({ dates: ['2026-11-20'] })).toBeNull();
  });

  it('counts failed backups of users against its tries, but is not set back by them alone', () => {
    const schedules = [
      { name: 's', type: 'full', frequency: '1d' },
      { name: 'users', type: 'user' },
    ];
    const plan = planOf(
      policySpec.parse({ name: 'p', clients: ['web1'], selections: ['/etc'], schedules }),
    );
    const next = (failures: Record<string, Failure[]>) => {
      const state = {
        ...{ plan, knownSince: since, suspendedSince: null, running: () => undefined },
        history: (schedule: string) => ({
          ...{ knownSince: since, heldUntil: null, lastGood: null },
          failures: failures[schedule] ?? [],
        }),
      };
      return agenda(state, { retry, asked: at('11-26T12:00') })[0]!.dueAt;
    };
    const own = [failed('11-26T11:00')];
    expect(next({ s: own })).toEqual(at('11-26T11:10'));
    expect(next({ s: own, users: [failed('11-26T10:00')] })).toEqual(at('11-26T22:00'));
    expect(next({ users: [failed('11-26T10:00'), failed('11-26T10:30')] })).toEqual(since);
  });

  it('takes the retry rule of its policy', () => {
    const policy = { retry: { tries: 1, periodHours: 2, delayMinutes: 30 } };
    const schedule = { calendar: undefined, frequency: '1d' };
    const history = { failures: [failed('11-26T10:00')] };
    expect(dueAt({ asked: '11-26T10:01', policy, schedule, history })).toBe('11-26T12:00');
  });
});
