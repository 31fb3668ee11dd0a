import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { policySpec } from '#contracts/policy.js';
import { anyTimes } from '../../testing/any-times.js';
import { agenda } from './agenda.js';
import type { History } from './history.js';
import { holds } from './hold.js';
import { planOf } from './policy-plan.js';

const HOUR = 3_600_000;
const retry = { triesMax: 2, windowMs: 12 * HOUR, delayMs: 600_000 };
const at = (text: string) => new Date(`2026-${text}Z`);
const now = at('11-26T12:00');
const good = { job: 5, at: at('11-24T20:00'), plannedAt: at('11-24T20:00') };
const known: History = {
  knownSince: at('11-01T00:00'),
  heldUntil: null,
  lastGood: good,
  failures: [],
};

function entries(policy: object, history: History, asked = now) {
  const plan = planOf(
    policySpec.parse({ name: 'p', clients: ['web1'], selections: ['/etc'], ...policy }),
  );
  const state = {
    ...{ plan, knownSince: known.knownSince, suspendedSince: null, running: () => undefined },
    history: () => history,
  };
  return agenda(state, { retry, asked });
}

const old = { ...known, lastGood: { ...good, at: at('11-10T20:00') } };

const policyOf = (schedule: object, rest: object = {}) => ({
  schedules: [{ name: 's', type: 'full', ...schedule }],
  ...rest,
});
const held = (before: object, after: object, history = known) =>
  holds(entries(before, history), entries(after, history), now).map(({ until }) => until);

const weekly = policyOf({ frequency: '1w' });
const allDay = [{ from: '06:00', for: '12h' }];

describe('a change of a policy', () => {
  it('that makes nothing due holds nothing back', () => {
    expect(held(weekly, policyOf({ frequency: '3d' }))).toEqual([]);
    expect(held(weekly, { ...weekly, priority: 7, selections: ['/srv'] })).toEqual([]);
    const overdue = policyOf({ frequency: '1d' });
    expect(held(overdue, policyOf({ frequency: '12h' }))).toEqual([]);
  });

  it('sets off no run: it waits one frequency, or for the next window', () => {
    expect(held(weekly, policyOf({ frequency: '1h' }))).toEqual([at('11-26T13:00')]);
    expect(held(policyOf({ frequency: '1w' }, { active: false }), weekly, old)).toEqual([
      at('11-27T12:00'),
    ]);
    const windows = { frequency: '1d', windows: allDay };
    expect(held(weekly, policyOf(windows))).toEqual([at('11-26T18:00')]);
    expect(held(policyOf(windows, { active: false }), policyOf(windows))).toEqual([
      at('11-26T18:00'),
    ]);
    const thursdays = { calendar: { weekdays: [{ day: 'thu' }] } };
    expect(held(weekly, policyOf(thursdays))).toEqual([at('11-26T12:00:00.001')]);
  });

  it('sets off no run of a calendar whose window opens at that very instant', () => {
    const opensNow = { windows: [{ from: '12:00', for: '1m' }] };
    const thursdays = policyOf({ calendar: { weekdays: [{ day: 'thu' }] }, ...opensNow });
    const [heldUntil] = held({ ...thursdays, active: false }, thursdays);
    const [entry] = entries(thursdays, { ...known, heldUntil: heldUntil! });
    expect(entry!.dueAt).toEqual(at('12-03T12:00'));
  });

  it('puts nothing off for longer than it would have waited without it', () => {
    const soon = { ...known, lastGood: { ...good, at: at('11-25T13:00') } };
    expect(held(policyOf({ frequency: '1d' }), policyOf({ frequency: '12h' }), soon)).toEqual([
      at('11-26T13:00'),
    ]);
  });

  it('leaves a first backup that has no window due at once', () => {
    const never = { ...known, lastGood: null };
    expect(held({ ...weekly, active: false }, weekly, never)).toEqual([]);
  });

  it('of any kind makes nothing due at the instant at which it is made', () => {
    const anySchedule = fc
      .tuple(
        anyTimes,
        fc.constantFrom(
          { frequency: '1h' },
          { frequency: '1d' },
          { frequency: '1w' },
          { calendar: { weekdays: [{ day: 'thu' }] } },
          { calendar: { monthDays: ['last'], retriesAfterRunDay: true } },
          {},
        ),
        fc.boolean(),
      )
      .map(([times, when, active]) => policyOf({ ...times, ...when }, { active }));
    fc.assert(
      fc.property(anySchedule, anySchedule, (before, after) => {
        const [was] = entries(before, known);
        if (was!.dueAt !== null && was!.dueAt <= now) return;
        const [hold] = holds([was!], entries(after, known), now);
        const [is] = entries(after, { ...known, heldUntil: hold?.until ?? null });
        expect(is!.dueAt === null || is!.dueAt > now).toBe(true);
      }),
      { numRuns: 300 },
    );
  });
});
