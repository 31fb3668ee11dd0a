import { describe, expect, it } from '@jest/globals';
import { policySpec } from '#contracts/policy.js';
import { planOf } from './due/policy-plan.js';
import { planUserRun } from './user-run.js';

const noon = new Date('2026-11-26T12:00:00Z');
const evening = new Date('2026-11-26T19:00:00Z');
const windows = [{ from: '18:00', for: '4h' }];
const users = { name: 'users', type: 'user', windows };
const full = { name: 'full', type: 'full' };

const policy = (name: string, rest: object = {}) =>
  planOf(
    policySpec.parse({
      ...{ name, clients: ['web1'], selections: ['/etc'], schedules: [full, users] },
      ...rest,
    }),
  );

const status = (request: object, plans = [policy('p')], now = evening) => {
  try {
    planUserRun(plans, { client: 'web1', ...request }, now);
    return 0;
  } catch (error) {
    return (error as { status: number }).status;
  }
};

describe('a backup that a user starts', () => {
  it('belongs to the first user schedule whose window is open', () => {
    const closed = policy('early', {
      schedules: [{ ...users, windows: [{ from: '06:00', for: '1h' }] }],
    });
    const run = planUserRun([closed, policy('p')], { client: 'web1' }, evening);
    expect(run).toMatchObject({ policy: { name: 'p' }, schedule: { name: 'users' } });
    expect(run.closesAt).toEqual(new Date('2026-11-26T22:00:00Z'));
  });

  it('is not allowed outside the windows, and says when they open', () => {
    expect(() => planUserRun([policy('p')], { client: 'web1' }, noon)).toThrow(
      expect.objectContaining({
        status: 199,
        message:
          'Operation not allowed during this time period. No start window is open now. ' +
          'The next one of schedule "users" of policy "p" opens thu 2026-11-26 18:00 UTC.',
      }),
    );
    const future = policy('p', { effectiveFrom: '2026-12-01T00:00:00Z' });
    expect(status({}, [future])).toBe(199);
  });

  it('is refused with the status codes of the field', () => {
    expect(status({ client: 'web9' })).toBe(236);
    expect(status({ client: 'web9', policy: 'p' })).toBe(239);
    expect(status({ policy: 'p' }, [policy('p', { active: false })])).toBe(247);
    expect(status({}, [policy('p', { active: false })])).toBe(236);
    expect(status({ schedule: 'none' })).toBe(197);
    expect(status({ schedule: 'full' })).toBe(241);
    expect(status({}, [policy('p', { schedules: [full] })])).toBe(198);
    expect(status({ policy: 'p' }, [policy('p', { schedules: [full] })])).toBe(240);
    expect(status({})).toBe(0);
  });
});
