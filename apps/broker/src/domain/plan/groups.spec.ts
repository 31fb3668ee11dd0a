import { describe, expect, it } from '@jest/globals';
import type { UnitSelection } from '#contracts/broker/configuration.js';
import { copy, NOW, resources, server, unit, write } from '../../testing/sample-resources.js';
import type { ServerResource, UnitResource } from '../resources.js';
import { plan } from './plan.js';

const servers = [server('m1'), server('m2')];
const small = (freeBytes: number) => ({ freeBytes, totalBytes: 1_000, drives: null });

/** A group g of these units; jobs ask for it one after the other. */
function ask(
  selection: UnitSelection,
  units: readonly UnitResource[],
  options: { jobs?: number; servers?: readonly ServerResource[]; estimatedBytes?: number } = {},
) {
  const { jobs = 3, estimatedBytes = 0 } = options;
  const group = { name: 'g', units: units.map(({ name }) => name), selection };
  const all = resources(options.servers ?? servers, units, { groups: new Map([['g', group]]) });
  const queue = Array.from({ length: jobs }, (_, index) =>
    write(index + 1, 'g', { estimatedBytes }),
  );
  const { grants, waits } = plan(queue, all, NOW);
  return {
    units: grants.map(({ place }) => place.unit),
    waits: waits.map(({ wait }) => wait),
    reasons: waits.map(({ reason }) => reason),
    all,
  };
}

describe('a prioritized group', () => {
  it('fills its first unit, then the next, and says of all why the rest waits', () => {
    const [a, b] = [unit('a', { jobsMax: 2 }), unit('b', { jobsMax: 1 })];
    expect(ask('prioritized', [a, b], { jobs: 4 })).toMatchObject({
      units: ['a', 'a', 'b'],
      waits: ['unit-busy'],
    });
  });

  it('says of its first few units why they cannot be had, and how many more there are', () => {
    const units = Array.from({ length: 9 }, (_, n) => unit(`u${n}`, { drained: true }));
    const { reasons } = ask('prioritized', units, { jobs: 1 });
    expect(reasons).toEqual([
      [0, 1, 2, 3, 4].map((n) => `storage unit u${n} is drained`).join('; ') + '; and 4 more',
    ]);
  });

  it('passes over what is down, drained, full or too small', () => {
    const units = [
      ...[unit('lost', { mediaId: 'm3' }), unit('drained', { drained: true })],
      ...[unit('full', { full: true }), unit('tight', { pool: 'tight' }), unit('good')],
    ];
    const some = [
      server('m1', { pools: { disk: small(900), tight: small(300) } }),
      server('m3', { down: true }),
    ];
    const options = { jobs: 1, servers: some, estimatedBytes: 400 };
    expect(ask('prioritized', units, options).units).toEqual(['good']);
  });
});

describe('a failover group', () => {
  it('queues for its first unit though the second is free', () => {
    const units = [unit('a', { jobsMax: 1, jobsActive: 1 }), unit('b')];
    expect(ask('failover', units)).toMatchObject({ units: [], waits: Array(3).fill('unit-busy') });
    expect(ask('failover', [unit('a', { full: true }), unit('b')]).waits).toContain('unit-full');
  });

  it('goes to the second while the first is down, drained or without its volume', () => {
    for (const away of [
      unit('a', { mediaId: 'm9' }),
      unit('a', { drained: true }),
      unit('a', { pool: 'tape' }),
    ]) {
      expect(ask('failover', [away, unit('b')]).units).toEqual(['b', 'b', 'b']);
    }
  });
});

describe('a round-robin group', () => {
  it('takes the unit that was chosen longest ago', () => {
    const units = [unit('a', { chosen: 7 }), unit('b', { chosen: 3 }), unit('c', { chosen: 5 })];
    expect(ask('round-robin', units, { jobs: 5 }).units).toEqual(['b', 'c', 'a', 'b', 'c']);
  });

  it('passes over who cannot, and comes back to it', () => {
    const units = [unit('a', { jobsMax: 1, jobsActive: 1 }), unit('b', { chosen: 9 })];
    expect(ask('round-robin', units, { jobs: 2 }).units).toEqual(['b', 'b']);
  });
});

describe('a group that balances its load', () => {
  it('takes the unit with the fewest jobs for its maximum', () => {
    const units = [unit('a', { jobsMax: 4, jobsActive: 2 }), unit('b', { jobsMax: 2 })];
    expect(ask('load-balance', units, { jobs: 4 }).units).toEqual(['b', 'a', 'b', 'a']);
  });

  it('takes the one with more room where the load is the same', () => {
    const some = [
      server('m1', { pools: { disk: small(500) } }),
      server('m2', { pools: { disk: small(900) } }),
    ];
    const units = [unit('a'), unit('b', { mediaId: 'm2' })];
    const options = { jobs: 1, servers: some, estimatedBytes: 10 };
    expect(ask('load-balance', units, options).units).toEqual(['b']);
  });
});

describe('a unit on demand only', () => {
  it('is for those who name it or a group with it, not for any job of its pool', () => {
    const shelf = unit('shelf', { onDemandOnly: true, pool: 'far', mediaId: 'm2' });
    const there = [server('m1'), server('m2', { pools: ['far'] })];
    expect(ask('prioritized', [shelf], { jobs: 1, servers: there }).units).toEqual(['shelf']);
    const all = resources(there, [shelf, unit('any', { pool: 'far', mediaId: 'm2', jobsMax: 1 })]);
    const { grants, waits } = plan([copy(1, ['m1']), copy(2, ['m1'])], all, NOW);
    expect(grants.map(({ place }) => place.unit)).toEqual(['any']);
    expect(waits[0]?.reason).toBe('storage unit any runs its maximum of 1 job');
  });
});
