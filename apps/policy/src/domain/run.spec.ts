import { describe, expect, it } from '@jest/globals';
import { policySpec } from '#contracts/policy.js';
import { planRun } from './run.js';

const policy = policySpec.parse({
  name: 'p',
  clients: ['web1', 'web2'],
  selections: ['/etc'],
  schedules: [
    { name: 'daily', type: 'differential' },
    { name: 'monthly', type: 'full', synthetic: true },
    { name: 'weekly', type: 'full' },
  ],
});

describe('a run by hand', () => {
  it('takes the first full schedule that reads clients, and all clients unless told otherwise', () => {
    const { schedule, clients } = planRun(policy, { name: 'p' });
    expect([schedule.name, ...clients]).toEqual(['weekly', 'web1', 'web2']);
    const one = planRun(policy, { name: 'p', schedule: 'daily', client: 'web2' });
    expect([one.schedule.name, ...one.clients]).toEqual(['daily', 'web2']);
  });

  it('makes nothing of earlier backups where it can read clients', () => {
    const [daily, monthly] = policy.schedules;
    const ofSchedules = (...schedules: typeof policy.schedules) =>
      planRun({ ...policy, schedules }, { name: 'p' }).schedule.name;
    expect(ofSchedules(monthly!, daily!)).toBe('daily');
    expect(ofSchedules(monthly!)).toBe('monthly');
  });

  it('says what is wrong with a status of the field and the names that exist', () => {
    const run = (request: object) => () => planRun(policy, { name: 'p', ...request });
    expect(run({ schedule: 'hourly' })).toThrow(
      expect.objectContaining({
        status: 197,
        message: 'There is no schedule "hourly". Schedules of policy "p": daily, monthly, weekly.',
      }),
    );
    expect(run({ client: 'web9' })).toThrow(
      expect.objectContaining({ status: 239, message: expect.stringContaining('web1, web2') }),
    );
    expect(() => planRun({ ...policy, active: false }, { name: 'p' })).toThrow(
      expect.objectContaining({ status: 247 }),
    );
  });
});
