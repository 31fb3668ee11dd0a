import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { drivesFor } from './drive-streams.js';

/** Tries every way to put the streams on drives. */
function fewest(allowed: readonly number[], drives: readonly (readonly number[])[] = []): number {
  const [next, ...others] = allowed;
  if (next === undefined) return drives.length;
  const beside = drives.flatMap((drive, at) => {
    const more = [...drive, next];
    if (more.length > Math.min(...more)) return [];
    return [fewest(others, drives.with(at, more))];
  });
  return Math.min(fewest(others, [...drives, [next]]), ...beside);
}

describe('streams on drives', () => {
  it('need no more drives than in the best of all ways to put them', () => {
    const some = fc.array(fc.integer({ min: 1, max: 4 }), { maxLength: 7 });
    fc.assert(fc.property(some, (allowed) => expect(drivesFor(allowed)).toBe(fewest(allowed))));
  });

  it('have one to themselves where they allow no other', () => {
    expect([drivesFor([]), drivesFor([1, 1]), drivesFor([3, 3, 3]), drivesFor([1, 4, 4])]).toEqual([
      0, 2, 1, 2,
    ]);
  });
});
