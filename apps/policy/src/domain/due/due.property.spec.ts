import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { policySpec, type PolicySpec } from '#contracts/policy.js';
import { dateOfDay, dayMatcher } from '../time/day-rules.js';
import { anyDayRule, anyTimes } from '../../testing/any-times.js';
import { ZONES } from '../../testing/zones.js';
import { zoneOf } from '../time/zone.js';
import { agenda, requestIdOf, submissions, type Entry, type OpenJob } from './agenda.js';
import { withEnding, withFailedTry, withFailure, type Failure, type History } from './history.js';
import { planOf, type PolicyPlan } from './policy-plan.js';

const RUNS = 150;
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const retry = { triesMax: 2, windowMs: 12 * HOUR, delayMs: 10 * MINUTE };

/** Instants of which many are near a change of some zone's clock. */
const anyInstant = fc
  .oneof(
    fc.integer({ min: Date.UTC(2025, 0, 1), max: Date.UTC(2027, 0, 1) }),
    fc.constantFrom('2026-03-29T00:00Z', '2026-10-24T20:00Z', '2026-04-24T00:00Z').map(Date.parse),
  )
  .map((ms) => ms - (ms % MINUTE));

const anyWhen = fc.oneof(
  fc.constantFrom('1h', '8h', '1d', '1w').map((frequency) => ({ frequency })),
  fc
    .record({ rule: anyDayRule, retriesAfterRunDay: fc.boolean() })
    .map(({ rule, retriesAfterRunDay }) => ({
      calendar: { ...rule, monthDays: [...(rule.monthDays ?? []), 15], retriesAfterRunDay },
    })),
);

/** Not as plans, which remember so much that nobody could read a counterexample. */
const anyPolicy: fc.Arbitrary<PolicySpec> = fc
  .record({ timeZone: fc.constantFrom(...ZONES), times: anyTimes, when: anyWhen })
  .map(({ timeZone, times, when }) =>
    policySpec.parse({
      ...{ name: 'p', clients: ['web1'], selections: ['/etc'], timeZone },
      schedules: [{ name: 's', type: 'full', ...times, ...when }],
    }),
  );

/** What becomes of each try, in turn: how long after it was due it is submitted, runs, and ends. */
const anyFate = fc.record({
  lateMs: fc.constantFrom(0, 15_000, MINUTE, 3 * HOUR),
  runsMs: fc.constantFrom(1_000, MINUTE, 2 * HOUR, 26 * HOUR),
  status: fc.constantFrom(0, 0, 0, 1, 58, 150, 196),
  /** How often it is incomplete before it ends so, and how long nobody goes on with it then. */
  incomplete: fc.constantFrom(0, 0, 1, 3),
  staysMs: fc.constantFrom(3 * HOUR, 72 * HOUR),
});
type Fate = typeof anyFate extends fc.Arbitrary<infer F> ? F : never;

function entryOf(plan: PolicyPlan, history: History, asked: number, running?: OpenJob): Entry {
  const state = {
    ...{ plan, knownSince: history.knownSince, suspendedSince: null },
    ...{ history: () => history, running: () => running },
  };
  return agenda(state, { retry, asked: new Date(asked) })[0]!;
}

interface Run {
  readonly dueAt: number;
  readonly begunAt: number;
  readonly status: number;
  /** When it was gone on with, and what had failed by then. */
  readonly goneOn: readonly { readonly at: number; readonly failures: readonly Failure[] }[];
}

/** The scheduler with that clock: looks when something is due, submits, hears of the end. */
function simulate(plan: PolicyPlan, from: number, fates: readonly Fate[]): Run[] {
  let now = from;
  let history: History = {
    ...{ knownSince: new Date(from), heldUntil: null, lastGood: null, failures: [] },
  };
  const runs: Run[] = [];
  for (const fate of fates) {
    const { lateMs, runsMs } = fate;
    const planned = entryOf(plan, history, now).dueAt;
    if (planned === null) break;
    now = Math.max(now, planned.getTime()) + lateMs;
    const [entry] = submissions([entryOf(plan, history, now)], new Date(now));
    if (entry === undefined) continue;
    const job = runs.length + 1;
    const begunAt = now;
    now += runsMs;
    const goneOn: { at: number; failures: readonly Failure[] }[] = [];
    let status: number = fate.status;
    let failedAt: Date | null = null;
    for (let round = 0; round < fate.incomplete; round++) {
      failedAt = new Date(now);
      history = withFailedTry(history, { job, at: failedAt, status: 82 }, failedAt);
      const running = { job, schedule: entry.schedule.name, failedAt };
      const next = entryOf(plan, history, now, running);
      const at = Math.max(now, Number(next.dueAt)) + lateMs;
      const [due] = submissions([entryOf(plan, history, at, running)], new Date(at));
      if (next.goesOn === undefined || due === undefined || at > +failedAt + fate.staysMs) {
        now = +failedAt + fate.staysMs;
        status = 82;
        break;
      }
      expect(due.goesOn).toBe(job);
      expect(due.closesAt?.getTime() ?? Infinity).toBeGreaterThan(at);
      goneOn.push({ at, failures: history.failures });
      now = at + runsMs;
      failedAt = null;
    }
    runs.push({ dueAt: Number(entry.dueAt), begunAt, status, goneOn });
    history = withEnding(
      history,
      {
        ...{ job, status, plannedAt: entry.dueAt!, begunAt: new Date(begunAt) },
        ...{ endedAt: new Date(now), failedAt },
      },
      new Date(now),
    );
  }
  return runs;
}

const anyStory = fc.tuple(
  anyPolicy,
  anyInstant,
  fc.array(anyFate, { minLength: 3, maxLength: 15 }),
);

describe('whatever the policy, the zone and what becomes of the jobs', () => {
  it('no backup starts outside a window or on an excluded day', () => {
    fc.assert(
      fc.property(anyStory, ([policy, from, fates]) => {
        const plan = planOf(policy);
        const { schedule, times } = plan.schedules[0]!;
        const isExcluded = dayMatcher(schedule.exclude);
        for (const { dueAt, begunAt } of simulate(plan, from, fates)) {
          expect(times.isOpen(dueAt)).toBe(true);
          expect(times.isOpen(begunAt)).toBe(true);
          expect(isExcluded(times.zone.dayAt(begunAt))).toBe(false);
        }
      }),
      { numRuns: RUNS },
    );
  });

  it('no calendar day has two good backups, and each run is for a day that is named', () => {
    fc.assert(
      fc.property(anyStory, ([policy, from, fates]) => {
        const plan = planOf(policy);
        const { schedule } = plan.schedules[0]!;
        if (schedule.calendar === undefined) return;
        const zone = zoneOf(plan.policy.timeZone);
        const runs = simulate(plan, from, fates);
        const days = runs.map(({ dueAt }) => zone.dayAt(dueAt));
        const good = days.filter((_, i) => runs[i]!.status <= 1);
        expect(new Set(good).size).toBe(good.length);
        if (schedule.calendar.retriesAfterRunDay) return;
        const matches = dayMatcher(schedule.calendar);
        expect(days.filter((day) => !matches(day)).map(dateOfDay)).toEqual([]);
      }),
      { numRuns: RUNS },
    );
  });

  it('what is incomplete goes on in a window only, after the pause, and while it has tries', () => {
    let seen = 0;
    fc.assert(
      fc.property(anyStory, ([policy, from, fates]) => {
        const plan = planOf(policy);
        const { schedule, times } = plan.schedules[0]!;
        const isExcluded = dayMatcher(schedule.exclude);
        for (const { at, failures } of simulate(plan, from, fates).flatMap((run) => run.goneOn)) {
          seen += 1;
          expect(times.isOpen(at)).toBe(true);
          expect(isExcluded(times.zone.dayAt(at))).toBe(false);
          expect(at).toBeGreaterThanOrEqual(+failures.at(-1)!.at + retry.delayMs);
          const tries = failures.filter((failure) => failure.status !== 196);
          const recent = tries.filter((failure) => +failure.at > at - retry.windowMs);
          expect(recent.length).toBeLessThan(retry.triesMax);
        }
      }),
      { numRuns: RUNS },
    );
    expect(seen).toBeGreaterThan(RUNS / 2);
  });

  it('no two runs bear the same name', () => {
    fc.assert(
      fc.property(anyStory, ([policy, from, fates]) => {
        const plan = planOf(policy);
        const dues = simulate(plan, from, fates).map(({ dueAt }) => dueAt);
        expect(new Set(dues).size).toBe(dues.length);
      }),
      { numRuns: RUNS },
    );
  });
});

const anyHistory = fc
  .record({
    knownSince: anyInstant,
    good: fc.option(fc.integer({ min: 0, max: 40 * DAY })),
    failures: fc.array(
      fc.record({
        job: fc.option(fc.integer({ min: 1, max: 99 })),
        ago: fc.integer({ min: 0, max: 2 * DAY }),
        status: fc.constantFrom(58, 84, 150, 196, 1000),
      }),
      { maxLength: 4 },
    ),
  })
  .map(({ knownSince, good, failures }) => {
    const lastAt = new Date(knownSince + (good ?? 0));
    const empty: History = {
      ...{ knownSince: new Date(knownSince), heldUntil: null, failures: [] },
      lastGood: good === null ? null : { job: 1, at: lastAt, plannedAt: lastAt },
    };
    return failures.reduce<History>(
      (history, { job, ago, status }) =>
        withFailure(history, { job, status, at: new Date(lastAt.getTime() + ago) }),
      empty,
    );
  });

/** Nobody is asked before something that is known has happened. */
function lastEventOf({ knownSince, lastGood, failures }: History): number {
  return Math.max(...[knownSince, lastGood?.at ?? 0, failures.at(-1)?.at ?? 0].map(Number));
}

describe('the due time, whenever it is asked for', () => {
  const any = fc.tuple(anyPolicy, anyHistory, fc.integer({ min: 0, max: 60 * DAY }));
  const later = fc.integer({ min: 1, max: 20 * DAY });

  it('is in a window that is not over, and closes after it began', () => {
    fc.assert(
      fc.property(any, ([policy, history, since]) => {
        const plan = planOf(policy);
        const asked = lastEventOf(history) + since;
        const { dueAt, closesAt, times } = entryOf(plan, history, asked);
        if (dueAt === null) return;
        expect(times.isOpen(dueAt.getTime())).toBe(true);
        if (dueAt.getTime() <= asked) expect(times.isOpen(asked)).toBe(true);
        if (closesAt !== null) expect(closesAt.getTime()).toBeGreaterThan(Math.max(+dueAt, asked));
      }),
      { numRuns: RUNS },
    );
  });

  it('never moves backwards, and stays as it is until its window closes', () => {
    fc.assert(
      fc.property(any, later, ([policy, history, since], ms) => {
        const plan = planOf(policy);
        const asked = lastEventOf(history) + since;
        const first = entryOf(plan, history, asked);
        if (first.dueAt === null) return;
        const second = entryOf(plan, history, asked + ms);
        if (second.dueAt !== null) expect(+second.dueAt).toBeGreaterThanOrEqual(+first.dueAt);
        const { schedule, times } = plan.schedules[0]!;
        const dayEnd = times.zone.startOf(times.zone.dayAt(+first.dueAt) + 1);
        const until = Math.min(
          first.closesAt?.getTime() ?? Infinity,
          schedule.calendar === undefined && schedule.exclude === undefined ? Infinity : dayEnd,
        );
        if (asked + ms >= until) return;
        expect(second.dueAt).toEqual(first.dueAt);
        expect(requestIdOf(second)).toBe(requestIdOf(first));
      }),
      { numRuns: RUNS },
    );
  });
});
