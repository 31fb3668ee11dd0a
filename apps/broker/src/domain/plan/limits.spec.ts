import { describe, expect, it } from '@jest/globals';
import {
  copy,
  ENDLESS,
  NOW,
  read,
  resources,
  server,
  unit,
  write,
} from '../../testing/sample-resources.js';
import { poolKey, type Resources } from '../resources.js';
import type { WaitingRequest } from '../resource-request.js';
import { plan } from './plan.js';

function decide(queue: readonly WaitingRequest[], all: Resources) {
  const { grants, waits } = plan(queue, all, NOW);
  return {
    granted: grants.map(({ job }) => job),
    waits: waits.map(({ request, wait }) => [request.job, wait]),
    reasons: waits.map(({ reason }) => reason),
  };
}

describe('the limit of a client', () => {
  const others = {
    clientJobs: new Map([['busy', 1]]),
    clientLimits: new Map([['busy', 2]]),
    clientJobsMax: 1,
  };
  const all = resources([server('m1'), server('m2', { pools: ['far'] })], [unit('u')], others);

  it('is its own or the default, and holds up nobody else', () => {
    const queue = [1, 2, 3].map((job) => write(job, 'u', { client: 'busy' }));
    expect(decide([...queue, write(4, 'u'), write(5, 'u')], all)).toEqual({
      granted: [1, 4],
      waits: [
        [2, 'client-limit'],
        [3, 'client-limit'],
        [5, 'client-limit'],
      ],
      reasons: [
        'client busy runs its maximum of 2 backups',
        'client busy runs its maximum of 2 backups',
        'client c runs its maximum of 1 backup',
      ],
    });
  });

  it('counts backups alone: restores and duplications are let through', () => {
    const full = { ...others, clientJobs: new Map([['c', 9]]) };
    const units = [unit('far', { pool: 'far', mediaId: 'm2' })];
    const there = resources([...all.servers.values()], units, full);
    expect(decide([read(1, ['m1']), copy(2, ['m1'])], there).granted).toEqual([1, 2]);
  });
});

describe('the limit of a policy', () => {
  it('comes with the request, and holds up nobody else', () => {
    const all = resources([server('m1')], [unit('u')], { policyJobs: new Map([['p', 1]]) });
    const limited = { policy: 'p', policyJobsMax: 2 };
    const queue = [write(1, 'u', limited), write(2, 'u', limited), write(3, 'u', { policy: 'q' })];
    expect(decide(queue, all)).toMatchObject({
      granted: [1, 3],
      waits: [[2, 'policy-limit']],
      reasons: ['policy p runs its maximum of 2 backups'],
    });
  });
});

describe('the room of a unit', () => {
  const disk = { freeBytes: 500, totalBytes: 1_000, drives: null };
  const all = resources(
    [server('m1', { pools: { disk } })],
    [unit('u', { highWaterPercent: 90 }), unit('same')],
    {
      poolUse: new Map([[poolKey({ mediaId: 'm1', pool: 'disk' }), { streams: [1], bytes: 100 }]]),
    },
  );

  it('is what is free below the high water mark, less what running jobs expect to write', () => {
    const expects = (job: number, estimatedBytes: number) => write(job, 'u', { estimatedBytes });
    expect(decide([expects(1, 301)], all)).toMatchObject({
      waits: [[1, 'unit-full']],
      reasons: [
        'storage unit u has room for 300 bytes below its high water mark of 90 %, the rest is ' +
          'promised to running jobs; the job expects to write 301',
      ],
    });
    expect(decide([expects(1, 200), expects(2, 101), expects(3, 100)], all).granted).toEqual([
      1, 3,
    ]);
  });

  it('is shared by the units of one volume, and is not asked for by who expects nothing', () => {
    const queue = [
      write(1, 'same', { estimatedBytes: 300 }),
      write(2, 'u', { estimatedBytes: 1 }),
      write(3, 'u'),
    ];
    expect(decide(queue, all)).toMatchObject({ granted: [1, 3], waits: [[2, 'unit-full']] });
  });
});

describe('the drives of a sequential pool', () => {
  it('are shared by all units on it', () => {
    const tape = { freeBytes: 0, totalBytes: 0, drives: 2 };
    const all = resources(
      [server('m1', { pools: { tape } })],
      [unit('a', { pool: 'tape' }), unit('b', { pool: 'tape' })],
      { poolUse: new Map([['m1/tape', { streams: [1], bytes: 0 }]]) },
    );
    expect(decide([write(1, 'a'), write(2, 'b')], all)).toMatchObject({
      granted: [1],
      waits: [[2, 'drive-busy']],
    });
  });

  const oneDrive = server('m1', { pools: { tape: { freeBytes: 0, totalBytes: 0, drives: 1 } } });

  it('take as many streams as the unit and the schedule of each job allow', () => {
    const all = resources([oneDrive], [unit('t', { pool: 'tape', maxStreamsPerDrive: 3 })]);
    const queue = [1, 2, 3, 4].map((job) => write(job, 't'));
    expect(decide(queue, all)).toMatchObject({
      granted: [1, 2, 3],
      waits: [[4, 'drive-busy']],
      reasons: [
        '3 jobs have all drives of pool tape on m1; this one shares a drive with 2 at most',
      ],
    });
    const mixed = [write(1, 't'), write(2, 't', { multiplexing: 1 }), write(3, 't')];
    expect(decide(mixed, all).granted).toEqual([1, 3]);
    const pair = [write(1, 't', { multiplexing: 2 }), write(2, 't'), write(3, 't')];
    expect(decide(pair, all).granted).toEqual([1, 2]);
    // The unit's number is never exceeded.
    const many = [1, 2, 3, 4].map((job) => write(job, 't', { multiplexing: 32 }));
    expect(decide(many, all).granted).toEqual([1, 2, 3]);
  });

  it('are shared by units that allow different numbers, and by duplications', () => {
    const units = [
      unit('one', { pool: 'tape' }),
      unit('some', { pool: 'tape', maxStreamsPerDrive: 2, onDemandOnly: true }),
    ];
    const all = resources([oneDrive], units);
    expect(decide([write(1, 'some'), write(2, 'one'), write(3, 'some')], all).granted).toEqual([
      1, 3,
    ]);
    const duplicate = copy(1, ['m1'], { pool: 'tape' });
    expect(decide([duplicate, write(2, 'some')], all).granted).toEqual([1]);
  });
});

describe('what is drained', () => {
  it('takes nothing new, and is read from', () => {
    const all = resources(
      [
        server('m1', { drained: true, pools: { disk: ENDLESS, far: ENDLESS } }),
        server('m2', { pools: ['far'] }),
      ],
      [
        unit('u'),
        unit('near', { pool: 'far' }),
        unit('away', { pool: 'far', mediaId: 'm2' }),
        unit('v', { pool: 'far', mediaId: 'm2', drained: true, onDemandOnly: true }),
      ],
    );
    const { grants, waits } = plan(
      [write(1, 'u'), read(2, ['m1']), copy(3, ['m1']), write(4, 'v')],
      all,
      NOW,
    );
    expect(grants.map(({ job, place }) => [job, place.unit, place.media])).toEqual([
      [2, null, ['m1']],
      [3, 'away', ['m2', 'm1']],
    ]);
    expect(waits.map(({ wait, reason }) => [wait, reason])).toEqual([
      ['unit-drained', 'media server m1 is drained'],
      ['unit-drained', 'storage unit v is drained'],
    ]);
  });
});
