import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { Schedule } from '#contracts/schedule.js';
import { OpenTimes } from '../time/open-times.js';
import { zoneOf } from '../time/zone.js';
import { due, type Due, type DueInput } from './due.js';
import {
  asOf,
  withEnding,
  withFailedTry,
  withFailure,
  type Failure,
  type History,
} from './history.js';
import { reasonOf } from './reason.js';
import type { RetryRule } from './retry.js';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const T0 = new Date('2026-03-01T12:00:00Z');
const at = (ms: number) => new Date(T0.getTime() + ms);

const daily: Schedule = { name: 'full', type: 'full', frequency: '1d', retention: '14d' };
const retry: RetryRule = { triesMax: 2, windowMs: 12 * HOUR, delayMs: 10 * MINUTE };
const fresh: History = { knownSince: T0, heldUntil: null, lastGood: null, failures: [] };
const good = { job: 5, at: T0, plannedAt: T0 };

function dueOf(history: Partial<History>, rest: Partial<DueInput> = {}): Due {
  const schedule = rest.schedule ?? daily;
  const times = new OpenTimes(zoneOf('UTC'), schedule);
  return due({
    ...{ active: true, effectiveFrom: 0, schedule, times, runDays: undefined, lastFuller: null },
    ...{ userFailures: [], retry, asked: T0.getTime(), ...rest },
    history: { ...fresh, ...history },
  });
}

function ask(
  history: Partial<History>,
  rest: Partial<DueInput> = {},
): { dueAt: Date | null; reason: string; goesOn?: number } {
  const schedule = rest.schedule ?? daily;
  const times = new OpenTimes(zoneOf('UTC'), schedule);
  const found = dueOf(history, rest);
  const reason = reasonOf(found, times, T0.getTime());
  const { dueAt, goesOn } = found;
  return goesOn === undefined ? { dueAt, reason } : { dueAt, reason, goesOn };
}

const failed = (job: number, ms: number, status = 58): Failure => ({ job, at: at(ms), status });

describe('a schedule is due', () => {
  it('at once when it is new', () => {
    expect(ask({})).toEqual({ dueAt: T0, reason: 'no good backup yet: due at once' });
  });

  it('one frequency after the beginning of its last good backup', () => {
    expect(ask({ lastGood: good })).toEqual({
      dueAt: at(DAY),
      reason: '1d after the last good backup (job 5, 2026-03-01T12:00:00.000Z)',
    });
  });

  it('later when a fuller schedule has done its work since', () => {
    const { dueAt, reason } = ask(
      { lastGood: good },
      { lastFuller: { ...good, job: 9, at: at(HOUR) } },
    );
    expect(dueAt).toEqual(at(DAY + HOUR));
    expect(reason).toContain('of a fuller or rarer schedule (job 9');
    expect(ask({ lastGood: good }, { lastFuller: { ...good, at: at(-HOUR) } }).dueAt).toEqual(
      at(DAY),
    );
  });

  it('at an instant that a timestamp can say, however late a policy takes effect', () => {
    const windows: Schedule['windows'] = [{ days: 'every', from: '23:00', for: '2h' }];
    const last = '9999-12-31T23:59:59.999Z';
    const effectiveFrom = Date.parse('9999-12-31T23:59:00Z');
    const found = dueOf({}, { schedule: { ...daily, windows }, effectiveFrom });
    expect(found.closesAt?.toISOString()).toBe(last);
    const behind = dueOf({}, { schedule: daily, effectiveFrom: Date.parse(last) + 1 });
    expect(behind.dueAt?.toISOString()).toBe(last);
  });

  it('never without a frequency or in a policy that is not active', () => {
    const { frequency: _, ...byHand } = daily;
    expect(ask({}, { schedule: byHand })).toEqual({
      dueAt: null,
      reason: 'only by hand: the schedule has no frequency and no calendar',
    });
    expect(ask({}, { active: false }).dueAt).toBeNull();
  });

  it('again some minutes after a failure, in the words of its status', () => {
    expect(ask({ failures: [failed(7, 0)] })).toEqual({
      dueAt: at(10 * MINUTE),
      reason: "job 7 ended with status 58 (can't connect to client); again after 10m",
    });
  });

  it('only after the window when all tries in it have failed', () => {
    const { dueAt, reason } = ask({ failures: [failed(7, 0), failed(8, 15 * MINUTE)] });
    expect(dueAt).toEqual(at(12 * HOUR));
    expect(reason).toContain('2 tries within 12h have failed');
  });

  it('no later than its next regular run, however long the window', () => {
    const hourly = { ...daily, frequency: '1h' };
    const failures = [failed(7, 0), failed(8, 15 * MINUTE)];
    expect(ask({ failures }, { schedule: hourly }).dueAt).toEqual(at(75 * MINUTE));
  });

  it('not at once when a person has cancelled it', () => {
    const { dueAt, reason } = ask({ failures: [failed(7, 0, 150)] });
    expect(dueAt).toEqual(at(12 * HOUR));
    expect(reason).toContain('left alone for 12h');
  });

  it('not sooner because a run by hand has failed', () => {
    expect(ask({ lastGood: good, failures: [failed(7, HOUR)] }).dueAt).toEqual(at(DAY));
  });

  it('after a refusal again and again, since nothing was tried', () => {
    const history = withFailure(withFailure(fresh, { job: null, at: T0, status: 1000 }), {
      job: null,
      at: at(HOUR),
      status: 1000,
    });
    expect(history.failures).toHaveLength(1);
    const { dueAt, reason } = ask(history);
    expect(dueAt).toEqual(at(HOUR + 10 * MINUTE));
    expect(reason).toBe(
      'the job manager refused with status 1000 (Client is offline); asked again after 10m',
    );
  });
});

describe('an incomplete job', () => {
  const goesOn = (failures: readonly Failure[], rest: Partial<DueInput> = {}) => {
    const { dueAt, goesOn: job, reason } = ask({ failures }, { incomplete: 7, ...rest });
    return { dueAt, job, reason };
  };

  it('goes on when its next try may begin', () => {
    expect(goesOn([failed(7, 0, 82)])).toEqual({
      dueAt: at(10 * MINUTE),
      job: 7,
      reason:
        'job 7 is incomplete with status 82 (media manager killed by signal); again after 10m; ' +
        'job 7 goes on then from what is committed',
    });
  });

  it('waits for its start window, and goes on until that closes', () => {
    const windows = [{ days: 'every' as const, from: '18:00', for: '4h' }];
    const schedule = { ...daily, windows };
    const { dueAt, job, reason } = goesOn([failed(7, 0, 82)], { schedule });
    expect([dueAt, job]).toEqual([at(6 * HOUR), 7]);
    expect(reason).toContain('waits for the start window sun 2026-03-01 18:00 UTC to ');
  });

  it('out of tries waits for the period to pass, not for the next regular run', () => {
    const schedule = { ...daily, frequency: '1h' };
    const failures = [failed(7, 0, 82), failed(7, 15 * MINUTE, 82)];
    expect(goesOn(failures, { schedule })).toMatchObject({ dueAt: at(12 * HOUR), job: 7 });
    expect(ask({ failures }, { schedule }).dueAt).toEqual(at(75 * MINUTE));
  });

  it('that was started by hand does not wait for the next regular run', () => {
    const lastGood = { ...good, at: at(-HOUR) };
    const found = ask({ lastGood, failures: [failed(7, 0, 82)] }, { incomplete: 7 });
    expect(found).toMatchObject({ dueAt: at(10 * MINUTE), goesOn: 7 });
  });

  it('goes on after the failure of another one, and never in a policy that is not active', () => {
    expect(goesOn([failed(7, 0, 82), failed(8, HOUR)])).toMatchObject({
      ...{ dueAt: at(12 * HOUR), job: 7 },
      reason: expect.stringContaining('job 8 ended with status 58'),
    });
    expect(goesOn([failed(7, 0, 82)], { active: false })).toMatchObject({ job: undefined });
    const { frequency: _, ...byHand } = daily;
    expect(goesOn([failed(7, 0, 82)], { schedule: byHand })).toMatchObject({ job: undefined });
  });
});

const anyFailure = fc.record({
  job: fc.integer({ min: 1, max: 50 }),
  at: fc.integer({ min: 0, max: 3 * DAY }).map(at),
  status: fc.constantFrom(58, 129, 150, 84),
});
const anyFrequency = fc.constantFrom('5m', '1h', '1d', '1w');
const anyHistory = fc.record({
  knownSince: fc.constant(T0),
  heldUntil: fc.constant(null),
  lastGood: fc.option(
    fc.integer({ min: -DAY, max: 0 }).map((ms) => ({ job: 9, at: at(ms), plannedAt: at(ms) })),
  ),
  failures: fc
    .array(anyFailure, { maxLength: 8 })
    .map((all) => all.reduce<History>((h, failure) => withFailure(h, failure), fresh).failures),
});

describe('any due time', () => {
  it('keeps the pause between two tries and never exceeds the tries of a window', () => {
    fc.assert(
      fc.property(anyHistory, anyFrequency, (history, frequency) => {
        const { dueAt } = ask(history, { schedule: { ...daily, frequency } });
        const last = history.failures.at(-1);
        if (last === undefined) return;
        expect(Number(dueAt)).toBeGreaterThanOrEqual(Number(last.at) + retry.delayMs);
        const recent = history.failures.filter(({ at: t }) => +t > Number(dueAt) - retry.windowMs);
        if (frequency === '1d' || frequency === '1w') {
          expect(recent.length).toBeLessThan(retry.triesMax + extraTries(history.failures));
        }
      }),
    );
  });

  it('comes within one frequency, window or pause of the last thing that happened', () => {
    fc.assert(
      fc.property(anyHistory, anyFrequency, (history, frequency) => {
        const { dueAt, reason } = ask(history, { schedule: { ...daily, frequency } });
        const last = Math.max(
          +T0,
          ...history.failures.map((f) => +f.at),
          +(history.lastGood?.at ?? 0),
        );
        expect(Number(dueAt)).toBeLessThanOrEqual(last + 7 * DAY);
        expect(reason.length).toBeGreaterThan(0);
      }),
    );
  });
});

/** Runs by hand may have exceeded the window before. */
function extraTries(failures: readonly Failure[]): number {
  return Math.max(0, failures.length - retry.triesMax + 1);
}

describe('the history', () => {
  /** When all of them are heard. */
  const then = at(DAY);
  const ending = { job: 6, status: 0, plannedAt: at(0), begunAt: at(HOUR), endedAt: at(2 * HOUR) };

  it('counts status 0 and 1 as good, and forgets the failures before', () => {
    const failures = [failed(4, 0)];
    for (const status of [0, 1]) {
      expect(withEnding({ ...fresh, failures }, { ...ending, status }, then)).toEqual({
        ...fresh,
        lastGood: { job: 6, at: at(HOUR), plannedAt: at(0) },
      });
    }
  });

  it('has each try of a job that was gone on with, and its end in place of the last one', () => {
    const first = { job: 6, at: at(HOUR), status: 82 };
    const second = { ...first, at: at(2 * HOUR) };
    const twice = [first, first, second].reduce(
      (known, one) => withFailedTry(known, one, then),
      fresh,
    );
    expect(twice.failures).toEqual([first, second]);
    const over = { ...ending, status: 82, endedAt: at(5 * HOUR), failedAt: second.at };
    const ended = withEnding(twice, over, then);
    expect(ended.failures).toEqual([first, { ...second, at: at(5 * HOUR) }]);
    // Told again, when it is not known any more that it was incomplete.
    expect(withEnding(ended, { ...over, failedAt: null }, then)).toEqual(ended);
    expect(withEnding(twice, { ...over, status: 150 }, then).failures).toEqual([
      first,
      { job: 6, at: at(5 * HOUR), status: 150 },
    ]);
    expect(withEnding(twice, { ...over, status: 0 }, then).failures).toEqual([]);
    const good = withEnding(fresh, { ...ending, job: 9, status: 0, begunAt: at(3 * HOUR) }, then);
    expect(withFailedTry(good, second, then)).toEqual(good);
  });

  it('is not kept by a good backup of a clock that was ahead', () => {
    const ahead = { ...fresh, lastGood: { job: 5, at: at(30 * DAY), plannedAt: at(30 * DAY) } };
    expect(withEnding(ahead, ending, then).lastGood).toMatchObject({ job: 6, at: at(HOUR) });
    const bad = { ...ending, status: 58 };
    expect(withEnding(ahead, bad, then).failures).toMatchObject([{ job: 6, status: 58 }]);
    // Clocks of two hosts differ a little, and events come late.
    const little = { ...fresh, lastGood: { job: 5, at: at(DAY + MINUTE), plannedAt: at(0) } };
    expect(withEnding(little, ending, then)).toBe(little);
    expect(withEnding(ahead, ending, at(30 * DAY))).toBe(ahead);
  });

  it('as of an instant lacks the failures that came later', () => {
    const failures = [failed(4, HOUR), failed(5, 2 * HOUR)];
    expect(asOf({ ...fresh, failures }, at(HOUR))?.failures).toEqual([failures[0]]);
    expect(asOf({ ...fresh, failures }, at(3 * HOUR))?.failures).toEqual(failures);
  });

  it('is the same after a repeat, and in whatever order the endings come', () => {
    const anyEnding = fc.record({
      job: fc.integer({ min: 1, max: 9 }),
      status: fc.constantFrom(0, 1, 58),
    });
    const endings = fc.uniqueArray(anyEnding, { selector: ({ job }) => job }).map((all) =>
      // A policy runs one job of a client at a time, so their times follow their numbers.
      all.map(({ job, status }) => ({
        ...{ job, status },
        ...{ plannedAt: at(job * HOUR), begunAt: at(job * HOUR) },
        endedAt: at(job * HOUR + MINUTE),
      })),
    );
    const both = endings.chain((all) =>
      fc.tuple(
        fc.constant(all),
        fc.shuffledSubarray([...all, ...all], { minLength: all.length * 2 }),
      ),
    );
    fc.assert(
      fc.property(both, ([inOrder, mixed]) => {
        const sorted = [...inOrder].sort((a, b) => a.job - b.job);
        const ended = (all: typeof mixed) =>
          all.reduce<History>((known, one) => withEnding(known, one, then), fresh);
        expect(ended(mixed)).toEqual(ended(sorted));
      }),
    );
  });
});
