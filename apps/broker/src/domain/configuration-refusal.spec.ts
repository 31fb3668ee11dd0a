import { describe, expect, it } from '@jest/globals';
import { NOW, resources, server, unit } from '../testing/sample-resources.js';
import {
  clientForgetRefusal,
  groupDeleteRefusal,
  groupRefusal,
  poolDeleteRefusal,
  poolOfLast,
  serverForgetRefusal,
  unitDeleteRefusal,
  unitRefusal,
} from './configuration-refusal.js';
import { firstUnit } from './first-unit.js';

const standard = unit('default');
const group = { name: 'any', units: ['default'], selection: 'prioritized' as const };
const known = resources([server('m1', { pools: ['disk', 'fast'] })], [standard, unit('spare')], {
  groups: new Map([['any', group]]),
});
const UNUSED = { held: 0, waiting: 0 };

describe('a storage unit', () => {
  it('must point at a pool that its media server has', () => {
    expect(unitRefusal(standard, known)).toBeUndefined();
    expect(unitRefusal({ ...standard, mediaId: 'm9' }, known)).toMatchObject({ status: 2027 });
    expect(unitRefusal({ ...standard, pool: 'tape' }, known)).toMatchObject({
      field: 'unit.pool',
      message: 'unit.pool: media server m1 has no volume of pool "tape". It has: disk, fast.',
    });
  });

  it('has its low water mark below the high one, and a name that no group has', () => {
    expect(unitRefusal({ ...standard, lowWaterPercent: 98 }, known)).toMatchObject({
      field: 'unit.lowWaterPercent',
    });
    expect(unitRefusal({ ...standard, name: 'any' }, known)).toMatchObject({ field: 'unit.name' });
  });

  it('is made by itself when there is none, once a media server has a volume', () => {
    const { servers, units } = known;
    expect(firstUnit({ servers, units: new Map() })).toMatchObject({
      ...{ name: 'default', mediaId: 'm1', pool: 'disk', jobsMax: 4 },
      ...{ highWaterPercent: 98, lowWaterPercent: 80, onDemandOnly: false },
    });
    expect(firstUnit({ servers, units })).toBeUndefined();
    const empty = new Map([['m0', server('m0', { pools: [] })]]);
    expect(firstUnit({ servers: empty, units: new Map() })).toBeUndefined();
  });

  it('is the last of its pool where no other is for any job of it', () => {
    expect(poolOfLast('default', known)).toBeUndefined();
    const units = [standard, unit('shelf', { onDemandOnly: true }), unit('f', { pool: 'fast' })];
    const some = resources([], units);
    expect(units.map(({ name }) => poolOfLast(name, some))).toEqual(['disk', undefined, 'fast']);
    expect(poolOfLast('gone', some)).toBeUndefined();
  });

  it('is not removed while something uses it', () => {
    expect(unitDeleteRefusal('spare', known, UNUSED)).toBeUndefined();
    expect(unitDeleteRefusal('gone', known, UNUSED)).toMatchObject({ status: 227 });
    expect(unitDeleteRefusal('default', known, UNUSED)?.message).toMatch(/stands in group any/);
    expect(unitDeleteRefusal('spare', known, { held: 1, waiting: 0 })?.message).toBe(
      'Storage unit spare is in use: 1 job uses it. Drain it ' +
        '(holdfast broker drain --unit spare) and wait for them.',
    );
    expect(unitDeleteRefusal('spare', known, { held: 0, waiting: 2 })?.message).toMatch(
      /2 jobs wait for it/,
    );
  });
});

describe('a storage unit group', () => {
  it('names units that exist, and has a name of its own', () => {
    expect(groupRefusal(group, known)).toBeUndefined();
    expect(groupRefusal({ ...group, name: 'default' }, known)).toMatchObject({
      field: 'group.name',
    });
    expect(groupRefusal({ ...group, units: ['default', 'x'] }, known)).toMatchObject({
      field: 'group.units[1]',
      message: 'group.units[1]: there is no storage unit "x". Those that exist: default, spare.',
    });
  });

  it('is not removed while somebody waits for it', () => {
    expect(groupDeleteRefusal('any', known, UNUSED)).toBeUndefined();
    expect(groupDeleteRefusal('x', known, UNUSED)).toMatchObject({ status: 227 });
    expect(groupDeleteRefusal('any', known, { held: 0, waiting: 1 })).toMatchObject({
      status: 228,
    });
  });
});

describe('the declaration of a pool', () => {
  it('stays while a unit or a volume is part of the pool', () => {
    expect(poolDeleteRefusal('disk', known)?.message).toMatch(/storage unit default writes to it/);
    expect(poolDeleteRefusal('fast', known)?.message).toMatch(/media server m1 has a volume/);
    expect(poolDeleteRefusal('tape', known)).toBeUndefined();
  });
});

describe('a host that will not come back', () => {
  const gone = resources([server('m1', { down: true }), server('m2')], [unit('default')]);
  const unused = { ...UNUSED, now: NOW };

  it('is forgotten when it is down, no unit points at it, and nobody uses it', () => {
    const alone = resources([server('m1', { down: true })], []);
    expect(serverForgetRefusal('m1', alone, unused)).toBeUndefined();
    expect(serverForgetRefusal('m1', alone, { ...unused, held: 1 })).toMatchObject({ status: 228 });
    expect(serverForgetRefusal('m1', alone, { ...unused, waiting: 1 })).toMatchObject({
      status: 228,
    });
    expect(serverForgetRefusal('m9', alone, unused)).toMatchObject({ status: 2027 });
    expect(serverForgetRefusal('m2', gone, unused)?.message).toContain('it is up');
    expect(serverForgetRefusal('m1', gone, unused)?.message).toContain('storage unit default');
  });

  it('is a client, too', () => {
    const ago = (ms: number) => new Date(NOW.getTime() - ms);
    expect(clientForgetRefusal('c1', { lastSeenAt: ago(60_000), now: NOW })).toBeUndefined();
    expect(clientForgetRefusal('c1', { lastSeenAt: ago(1_000), now: NOW })?.status).toBe(228);
    expect(clientForgetRefusal('c1', { lastSeenAt: undefined, now: NOW })?.status).toBe(243);
  });
});
