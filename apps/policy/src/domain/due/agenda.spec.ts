import { describe, expect, it } from '@jest/globals';
import { policySpec } from '#contracts/policy.js';
import type { Schedule } from '#contracts/schedule.js';
import {
  agenda as agendaOf,
  requestIdOf,
  submissions,
  type OpenJob,
  type PolicyState,
} from './agenda.js';
import type { History } from './history.js';
import { planOf } from './policy-plan.js';

const HOUR = 3_600_000;
const T0 = new Date('2026-03-01T12:00:00Z');
const at = (ms: number) => new Date(T0.getTime() + ms);
const retry = { triesMax: 2, windowMs: 12 * HOUR, delayMs: 600_000 };

const full: Schedule = { name: 'weekly', type: 'full', frequency: '1w', retention: '14d' };
const incremental: Schedule = { ...full, name: 'daily', type: 'differential', frequency: '1d' };
const fresh: History = { knownSince: T0, heldUntil: null, lastGood: null, failures: [] };
const policy = policySpec.parse({
  name: 'p',
  clients: ['web1', 'web2'],
  selections: ['/etc'],
  schedules: [incremental, full],
});

function state(histories: Record<string, History> = {}, running: Record<string, OpenJob> = {}) {
  return {
    plan: planOf(policy),
    knownSince: T0,
    suspendedSince: null,
    history: (schedule, client) => histories[`${schedule} ${client}`],
    running: (client) => running[client],
  } satisfies PolicyState as PolicyState;
}

const agenda = (of: PolicyState, asked = T0) => agendaOf(of, { retry, asked });

const names = (entries: ReturnType<typeof submissions>) =>
  entries.map(({ schedule, client }) => `${schedule.name} ${client}`);

describe('the agenda of a policy', () => {
  it('has an entry for each schedule of each client', () => {
    expect(names(agenda(state())).sort()).toEqual([
      'daily web1',
      'daily web2',
      'weekly web1',
      'weekly web2',
    ]);
  });

  it('submits one job of a client at a time, the fullest that is due', () => {
    expect(names(submissions(agenda(state()), T0))).toEqual(['weekly web1', 'weekly web2']);
    const busy = state({}, { web1: { job: 7, schedule: 'daily', failedAt: null } });
    expect(names(submissions(agenda(busy), T0))).toEqual(['weekly web2']);
  });

  it('lets a full count for the incrementals, but not the other way round', () => {
    const history: History = { ...fresh, lastGood: { job: 1, at: T0, plannedAt: T0 } };
    const afterFull = agenda(state({ 'weekly web1': history }));
    expect(names(submissions(afterFull, at(HOUR)))).toEqual(['weekly web2']);
    expect(names(submissions(afterFull, at(24 * HOUR)))).toContain('daily web1');
    const afterIncremental = agenda(state({ 'daily web1': history }));
    expect(names(submissions(afterIncremental, at(HOUR)))).toContain('weekly web1');
  });

  it('lets a monthly full count for a weekly one of its kind, but not the other way round', () => {
    const monthly: Schedule = { ...full, name: 'monthly', frequency: '4w' };
    const plan = planOf({ ...policy, clients: ['web1'], schedules: [full, monthly] });
    const history: History = { ...fresh, lastGood: { job: 1, at: T0, plannedAt: T0 } };
    expect(names(submissions(agenda({ ...state(), plan }), T0))).toEqual(['monthly web1']);
    const afterMonthly = agenda({ ...state({ 'monthly web1': history }), plan });
    expect(names(submissions(afterMonthly, at(HOUR)))).toEqual([]);
    const afterWeekly = agenda({ ...state({ 'weekly web1': history }), plan });
    expect(names(submissions(afterWeekly, at(HOUR)))).toEqual(['monthly web1']);
  });

  it('goes on with what is incomplete in place of a new try, when the retry rule allows one', () => {
    const lastGood = { job: 1, at: at(-6 * 24 * HOUR), plannedAt: at(-6 * 24 * HOUR) };
    const failures = [{ job: 7, at: T0, status: 82 }];
    const histories = {
      'weekly web1': { ...fresh, lastGood },
      'daily web1': { ...fresh, failures },
    };
    const incomplete = { job: 7, schedule: 'daily', failedAt: T0 };
    const entries = agenda(state(histories, { web1: incomplete }), T0);
    const ofWeb1 = (when: Date) =>
      submissions(entries, when).filter(({ client }) => client === 'web1');
    expect(ofWeb1(at(0.1 * HOUR))).toEqual([]);
    expect(ofWeb1(at(0.2 * HOUR))).toMatchObject([{ schedule: { name: 'daily' }, goesOn: 7 }]);
    // Nothing new begins beside it, not even what is fuller and due as well.
    expect(ofWeb1(at(48 * HOUR))).toMatchObject([{ schedule: { name: 'daily' }, goesOn: 7 }]);
    // One that somebody has gone on with, or that failed before a good backup, is not touched.
    const moves = state(histories, { web1: { ...incomplete, failedAt: null } });
    const superfluous = state(
      { 'daily web1': { ...fresh, lastGood: { ...lastGood, at: at(HOUR) } } },
      { web1: incomplete },
    );
    for (const other of [moves, superfluous]) {
      const due = submissions(agenda(other, at(48 * HOUR)), at(48 * HOUR));
      expect(due.map(({ client }) => client)).toEqual(['web2']);
    }
    const held = { ...state(histories, { web1: incomplete }), suspendedSince: T0 };
    expect(submissions(agenda(held, at(HOUR)), at(HOUR))).toEqual([]);
  });

  it('submits nothing of what is suspended', () => {
    expect(submissions(agenda({ ...state(), suspendedSince: T0 }), at(HOUR))).toEqual([]);
  });

  it('has the same request id for the same run, and another for the next', () => {
    const [first] = submissions(agenda(state()), T0);
    const [again] = submissions(agenda(state()), at(HOUR));
    expect(requestIdOf(again!)).toBe(requestIdOf(first!));
    const failures = [{ job: 3, at: T0, status: 58 }];
    const history: History = { ...fresh, failures };
    const [next] = submissions(agenda(state({ 'weekly web1': history })), at(HOUR));
    expect(requestIdOf(next!)).not.toBe(requestIdOf(first!));
  });
});
