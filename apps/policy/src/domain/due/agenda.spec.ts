import { describe, expect, it } from '@jest/globals';
import { policySpec } from '#contracts/policy.js';
import type { Schedule } from '#contracts/schedule.js';
import {
  agenda as agendaOf,
  requestIdOf,
  submissions,
  type Entry,
  type OpenJob,
  type PolicyState,
} from './agenda.js';
import type { History } from './history.js';
import { planOf } from './policy-plan.js';
import { reasonOf } from './reason.js';

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

  it('does not wait for a good backup that was dated by a clock that was ahead', () => {
    const wrong = { ...fresh, lastGood: { job: 1, at: at(400 * 24 * HOUR), plannedAt: T0 } };
    const asked = at(30 * HOUR);
    const ofWeb1 = (histories: Record<string, History>, when = asked) =>
      agenda(state(histories), when).filter(({ client }) => client === 'web1');
    // Of its own schedule, and of a fuller one.
    const [daily, weekly] = ofWeb1({ 'weekly web1': wrong });
    expect(weekly).toMatchObject({ dueAt: at(24 * HOUR), cause: { kind: 'ahead' } });
    expect(daily).toMatchObject({ dueAt: T0, cause: { kind: 'new' } });
    expect(reasonOf(weekly!, weekly!.times, +asked)).toBe(
      'a clock was ahead: the last good backup (job 1) is dated 2027-04-05T12:00:00.000Z, and does not count until then',
    );
    // Asked as if it were then, what has come since is believed.
    const then = { retry, asked: T0, now: at(50 * HOUR), client: 'web1' };
    const good = { ...fresh, lastGood: { job: 1, at: at(40 * HOUR), plannedAt: T0 } };
    expect(agendaOf(state({ 'daily web1': good }), then)[0]).toMatchObject({
      dueAt: at(64 * HOUR),
    });
    // What was due when it was new has a job, and no run has two: those of a host whose clock is ahead still.
    const idOf = (entry: Entry | undefined) => requestIdOf(entry!);
    expect(idOf(weekly)).not.toBe(idOf(ofWeb1({})[1]));
    const next = { ...wrong, lastGood: { ...wrong.lastGood, job: 2, at: at(401 * 24 * HOUR) } };
    expect(idOf(ofWeb1({ 'weekly web1': next }, at(31 * HOUR))[1])).toBe(idOf(weekly));
    // Ten minutes are no wrong clock.
    const little = { ...fresh, lastGood: { job: 1, at: at(HOUR / 6), plannedAt: T0 } };
    expect(ofWeb1({ 'daily web1': little }, T0)[0]).toMatchObject({
      dueAt: at(24 * HOUR + HOUR / 6),
    });
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
