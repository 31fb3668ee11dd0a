import { describe, expect, it } from '@jest/globals';
import { backupRequest } from '#contracts/job.js';
import { policySpec } from '#contracts/policy.js';
import { backupRequestOf } from './backup-request.js';
import { periodOf, retentionLevels } from './retention-levels.js';

const base = { name: 'p', clients: ['web1', 'db1'], selections: ['/etc', '/srv'] };

function request(rest: object, submission: object = {}) {
  const policy = policySpec.parse({ ...base, ...rest });
  return backupRequest.parse(
    backupRequestOf(
      {
        ...{ policy, schedule: policy.schedules[0]!, client: 'web1', origin: 'scheduled' },
        ...{ dueAt: null, closesAt: null, ...submission },
      },
      '4w',
    ),
  );
}

describe('what the job manager is asked for', () => {
  it('says all that the policy says', () => {
    const hooks = { before: { script: 'stop-db', timeoutSeconds: 60 } };
    const closesAt = new Date('2026-11-27T06:00:00Z');
    expect(
      request({ jobsMax: 3, keyword: 'web', hooks, storage: 'fast', priority: 5 }, { closesAt }),
    ).toMatchObject({
      ...{ policyJobsMax: 3, keyword: 'web', hooks, storage: 'fast', priority: 5 },
      ...{ retention: '4w', origin: 'scheduled', closesAt: '2026-11-27T06:00:00.000Z' },
    });
  });

  it('takes storage and priority of the schedule in their place', () => {
    const schedules = [{ name: 's', type: 'user', storage: 'slow', priority: 9 }];
    expect(request({ schedules, storage: 'fast' })).toMatchObject({
      ...{ storage: 'slow', priority: 9, kind: 'full' },
    });
  });

  it('is a synthetic full where the schedule is one', () => {
    const schedules = [{ name: 's', type: 'full', synthetic: true }];
    expect(request({ schedules })).toMatchObject({ kind: 'full', synthetic: true });
    expect(request({})).not.toHaveProperty('synthetic');
  });

  it('takes the lists of the client where it has some', () => {
    const perClient = { db1: { selections: ['/var/db'] }, web1: { excludes: ['*.log'] } };
    expect(request({ perClient }, { client: 'db1' })).toMatchObject({
      ...{ selections: ['/var/db'], excludes: [] },
    });
    expect(request({ perClient })).toMatchObject({
      ...{ selections: ['/etc', '/srv'], excludes: ['*.log'] },
    });
    expect(request({}, { selections: ['/home/me'] }).selections).toEqual(['/home/me']);
  });

  it('makes a stream of each selection, or of each part between NEW_STREAM lines', () => {
    expect(request({}).streams).toBeUndefined();
    expect(request({ multipleStreams: true }).streams).toEqual([['/etc'], ['/srv']]);
    const selections = ['NEW_STREAM', '/a', '/b', 'NEW_STREAM', '/c'];
    expect(request({ multipleStreams: true, selections })).toMatchObject({
      selections: ['/a', '/b', '/c'],
      streams: [['/a', '/b'], ['/c']],
    });
    const one = { multipleStreams: true, selections: ['NEW_STREAM', '/a', '/b'] };
    expect(request(one).streams).toBeUndefined();
  });
});

describe('a retention level', () => {
  it('stands for the period of the field, unless it was changed', () => {
    const changed = new Map([[3, '40d']]);
    expect(periodOf(0, changed)).toBe('1w');
    expect(periodOf(3, changed)).toBe('40d');
    expect(periodOf(9, changed)).toBe('infinite');
    expect(periodOf('2w', changed)).toBe('2w');
    const levels = retentionLevels(changed);
    expect(levels).toHaveLength(25);
    expect(levels[8]).toEqual({ level: 8, period: '365d', isDefault: true });
    expect(levels[3]).toEqual({ level: 3, period: '40d', isDefault: false });
  });
});
