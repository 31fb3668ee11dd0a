import { describe, expect, it } from '@jest/globals';
import { policySpec } from '#contracts/policy.js';
import { policyWarnings, storageWarnings, type Storage } from './policy-warnings.js';

const now = new Date('2026-11-26T12:00:00Z');
const policy = (rest: object = {}) =>
  policySpec.parse({ name: 'p', clients: ['web1'], selections: ['/etc'], ...rest });

const storage: Storage = {
  units: [
    { name: 'default', mediaId: 'm1', pool: 'main' },
    { name: 'lost', mediaId: 'm9', pool: 'main' },
  ],
  groups: [
    { name: 'both', units: ['lost', 'default'] },
    { name: 'none', units: ['gone'] },
  ],
  servers: [{ mediaId: 'm1', volumes: [{ pool: 'main' }] }],
};
const fields = (rest: object) => storageWarnings(policy(rest), storage).map(({ field }) => field);

describe('a policy whose storage', () => {
  it('can be granted is no reason to warn, be it a unit or a group', () => {
    expect(fields({})).toEqual([]);
    expect(fields({ storage: 'both' })).toEqual([]);
  });

  it('does not exist, or lies where no media server has such a volume, is', () => {
    expect(fields({ storage: 'other' })).toEqual(['policy.storage']);
    expect(fields({ storage: 'lost' })).toEqual(['policy.storage']);
    expect(fields({ storage: 'none' })).toEqual(['policy.storage']);
    expect(storageWarnings(policy({ storage: 'other' }), storage)[0]?.message).toBe(
      'there is no storage unit and no group "other": no job can be granted. ' +
        'There are: default, lost, both, none',
    );
  });

  it('is that of its schedules is asked for theirs', () => {
    const schedules = [{ name: 's', type: 'full', storage: 'default' }];
    expect(fields({ storage: 'other', schedules })).toEqual([]);
    const two = [...schedules, { name: 't', type: 'full', storage: 'other' }];
    expect(fields({ schedules: two })).toEqual(['policy.schedules[1].storage']);
  });
});

describe('a policy with a synthetic schedule', () => {
  const synthetic = { name: 'monthly', type: 'full', synthetic: true };
  const daily = { name: 'daily', type: 'cumulative' };

  it('needs another one that makes incrementals', () => {
    const [warning] = policyWarnings(policy({ schedules: [synthetic] }), now);
    expect(warning).toMatchObject({ field: 'policy.schedules[0].synthetic' });
    expect(policyWarnings(policy({ schedules: [synthetic, daily] }), now)).toEqual([]);
  });
});

describe('a policy that can never run', () => {
  const warned = (schedule: object, rest: object = {}) =>
    policyWarnings(
      policy({ schedules: [{ name: 's', type: 'full', ...schedule }], ...rest }),
      now,
    ).map(({ field }) => field);

  it('says which schedule and why', () => {
    expect(warned({ frequency: '1d' })).toEqual([]);
    expect(warned({ calendar: { dates: ['2026-11-25'] } })).toEqual([
      'policy.schedules[0].calendar',
    ]);
    const days = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'];
    const exclude = { weekdays: days.map((day) => ({ day })) };
    expect(warned({ frequency: '1d', exclude })).toEqual(['policy.schedules[0].exclude']);
  });

  it('warns of hooks, which only the client knows', () => {
    const hooks = { before: { script: 'stop-db' } };
    expect(warned({}, { hooks })).toEqual(['policy.hooks.before']);
  });
});
