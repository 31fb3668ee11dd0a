import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { differences, differenceText } from './differences.js';

const texts = (before: unknown, after: unknown) => differences(before, after).map(differenceText);

describe('differences', () => {
  it('are told field by field, old and new', () => {
    const before = { name: 'web', priority: 0, hooks: { before: { script: 'a' } } };
    const after = { name: 'web', priority: 5, hooks: { before: { script: 'b' } }, keyword: 'k' };
    expect(texts(before, after)).toEqual([
      'priority: 0 -> 5',
      'hooks.before.script: a -> b',
      'keyword: nothing -> k',
    ]);
  });

  it('of lists are what came and went, and their order', () => {
    expect(texts({ clients: ['a', 'b'] }, { clients: ['b', 'c'] })).toEqual(['clients: +c -a']);
    expect(texts({ units: ['a', 'b'] }, { units: ['b', 'a'] })).toEqual([
      'units: ["a","b"] -> ["b","a"]',
    ]);
  });

  it('of things with names are those of the thing of that name', () => {
    const [full, daily] = [
      { name: 'full', type: 'full' },
      { name: 'daily', frequency: '24h' },
    ];
    const before = { schedules: [full, daily] };
    expect(texts(before, { schedules: [full, { ...daily, frequency: '12h' }] })).toEqual([
      'schedules.daily.frequency: 24h -> 12h',
    ]);
    expect(texts(before, { schedules: [full] })).toEqual([
      `schedules.daily: ${JSON.stringify(daily)} -> nothing`,
    ]);
    expect(texts(before, { schedules: [daily, full] })).toEqual([
      'schedules: ["full","daily"] -> ["daily","full"]',
    ]);
    const [one, two] = [{ name: '1' }, { name: '2' }];
    expect(texts({ schedules: [two, one] }, { schedules: [one, two] })).toEqual([
      'schedules: ["2","1"] -> ["1","2"]',
    ]);
  });

  it('are there exactly where the values are not the same', () => {
    const value = fc.jsonValue({ maxDepth: 3 }).map((one) => JSON.parse(JSON.stringify(one)));
    fc.assert(
      fc.property(value, value, (a, b) => {
        const same = JSON.stringify(sorted(a)) === JSON.stringify(sorted(b));
        expect(differences(a, b).length === 0).toBe(same);
        expect(differences(a, a)).toEqual([]);
      }),
    );
  });
});

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).map(([key, one]) => [key, sorted(one)]);
  return { entries: entries.sort(([a], [b]) => (String(a) < String(b) ? -1 : 1)) };
}
