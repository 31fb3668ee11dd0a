import { describe, expect, it } from '@jest/globals';
import type { StorageUnit } from '#contracts/broker.js';
import { firstUnit } from './first-unit.js';
import { refusal, unitRefusal, unknownClient } from './refusal.js';
import type { ServerResource, UnitResource } from './resources.js';

const server: ServerResource = { mediaId: 'm1', lastSeenAt: new Date(0), pools: ['disk', 'fast'] };
const standard: StorageUnit = {
  name: 'default',
  mediaId: 'm1',
  pool: 'disk',
  jobsMax: 4,
  fragmentBytesMax: 1024 ** 3,
};
const servers = new Map([['m1', server]]);
const units = new Map<string, UnitResource>([['default', { ...standard, jobsActive: 0 }]]);
const ask = { job: 1, attempt: 1, client: 'web1', priority: 0 };
const write = { ...ask, purpose: 'write' as const };
const read = { ...ask, purpose: 'read' as const };

describe('what can never be granted', () => {
  it('is a write to an unknown storage unit; the answer names those that exist', () => {
    expect(refusal({ ...write, unit: 'tape' }, { servers, units })).toMatchObject({
      status: 219,
      message: 'There is no storage unit "tape". Storage units that exist: default.',
    });
    expect(refusal({ ...write, unit: 'tape' }, { servers, units: new Map() })).toMatchObject({
      status: 213,
    });
  });

  it('is a read from a media server that nobody has heard of', () => {
    expect(refusal({ ...read, media: ['m1', 'm9'] }, { servers, units })).toMatchObject({
      status: 2027,
      message: 'There is no media server "m9". Media servers that have reported: m1.',
    });
  });

  it('is a duplication into a pool without a storage unit', () => {
    const copy = { ...ask, purpose: 'duplicate' as const, sources: ['m9'] };
    expect(refusal({ ...copy, pool: 'fast' }, { servers, units })).toMatchObject({
      status: 213,
      message:
        'There is no storage unit of pool "fast". Pools that have one: disk. ' +
        'Make one: holdfast unit put -f FILE.',
    });
    expect(refusal({ ...copy, pool: 'disk' }, { servers, units })).toBeUndefined();
  });

  it('does not include what is only down or full', () => {
    expect(refusal({ ...write, unit: 'default' }, { servers, units })).toBeUndefined();
    expect(refusal({ ...read, media: ['m1'] }, { servers, units })).toBeUndefined();
  });

  it('is said of an unknown client with a few names and a count', () => {
    const known = Array.from({ length: 10 }, (_, index) => `c${index}`);
    expect(unknownClient('web9', { known, total: 12 }).message).toBe(
      'There is no client "web9". The client is not in the configuration. Clients whose agent has ' +
        'reported: c0, c1, c2, c3, c4, c5, c6, c7, c8, c9 and 2 more.',
    );
  });
});

describe('a storage unit', () => {
  it('must point at a pool that its media server has', () => {
    expect(unitRefusal(standard, servers)).toBeUndefined();
    expect(unitRefusal({ ...standard, mediaId: 'm9' }, servers)).toMatchObject({ status: 2027 });
    expect(unitRefusal({ ...standard, pool: 'tape' }, servers)).toMatchObject({
      field: 'unit.pool',
      message: 'unit.pool: media server m1 has no volume of pool "tape". It has: disk, fast.',
    });
  });

  it('is made by itself when there is none, once a media server has a volume', () => {
    expect(firstUnit({ servers, units: new Map() })).toEqual(standard);
    expect(firstUnit({ servers, units })).toBeUndefined();
    const empty = new Map([['m0', { ...server, mediaId: 'm0', pools: [] }]]);
    expect(firstUnit({ servers: empty, units: new Map() })).toBeUndefined();
  });
});
