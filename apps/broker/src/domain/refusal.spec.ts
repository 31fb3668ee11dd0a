import { describe, expect, it } from '@jest/globals';
import { server as sampleServer, unit } from '../testing/sample-resources.js';
import { refusal, unknownClient } from './refusal.js';

const pool = { freeBytes: 10, totalBytes: 100, drives: null };
const servers = new Map([['m1', sampleServer('m1', { pools: { disk: pool, fast: pool } })]]);
const units = new Map([
  ['default', unit('default')],
  ['shelf', unit('shelf', { pool: 'vault', onDemandOnly: true })],
]);
const groups = new Map([
  ['any', { name: 'any', units: ['default'], selection: 'prioritized' as const }],
]);
const known = { servers, units, groups };
const ask = { job: 1, attempt: 1, client: 'web1', priority: 0 };
const write = { ...ask, purpose: 'write' as const };
const read = { ...ask, purpose: 'read' as const };

describe('what can never be granted', () => {
  it('is a write to an unknown storage unit; the answer names those that exist', () => {
    expect(refusal({ ...write, unit: 'tape' }, known)).toMatchObject({
      status: 219,
      message:
        'There is no storage unit "tape". Storage units that exist: default, shelf. Groups: any.',
    });
    expect(refusal({ ...write, unit: 'tape' }, { ...known, units: new Map() })).toMatchObject({
      status: 213,
    });
  });

  it('is a read from a media server that nobody has heard of', () => {
    expect(refusal({ ...read, media: ['m1', 'm9'] }, known)).toMatchObject({
      status: 2027,
      message: 'There is no media server "m9". Media servers that have reported: m1.',
    });
  });

  it('is a duplication into a pool without a storage unit', () => {
    const copy = { ...ask, purpose: 'duplicate' as const, sources: ['m9'] };
    expect(refusal({ ...copy, pool: 'fast' }, known)).toMatchObject({
      status: 213,
      message:
        'There is no storage unit of pool "fast". Pools that have one: disk, vault. ' +
        'Make one: holdfast unit put -f FILE.',
    });
    expect(refusal({ ...copy, pool: 'disk' }, known)).toBeUndefined();
  });

  it('is a duplication into a pool whose units are all on demand only; by name they are there', () => {
    const copy = { ...ask, purpose: 'duplicate' as const, sources: ['m9'], pool: 'vault' };
    expect(refusal(copy, known)).toMatchObject({ status: 2111, field: 'pool' });
    expect(refusal({ ...write, unit: 'shelf' }, known)).toBeUndefined();
  });

  it('is a job that expects more than an empty volume takes', () => {
    const large = { ...write, unit: 'any', estimatedBytes: 99 };
    expect(refusal(large, known)).toMatchObject({ status: 2030, field: 'estimatedBytes' });
    expect(refusal({ ...large, estimatedBytes: 98 }, known)).toBeUndefined();
  });

  it('does not include what is only down or full', () => {
    expect(refusal({ ...write, unit: 'default' }, known)).toBeUndefined();
    expect(refusal({ ...write, unit: 'any' }, known)).toBeUndefined();
    expect(refusal({ ...read, media: ['m1'] }, known)).toBeUndefined();
  });

  it('is said of an unknown client with a few names and a count', () => {
    const names = Array.from({ length: 10 }, (_, index) => `c${index}`);
    expect(unknownClient('web9', { known: names, total: 12 }).message).toBe(
      'There is no client "web9". The client is not in the configuration. Clients whose agent has ' +
        'reported: c0, c1, c2, c3, c4, c5, c6, c7, c8, c9 and 2 more.',
    );
  });
});
