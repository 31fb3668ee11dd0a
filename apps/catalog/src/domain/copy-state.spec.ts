import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { bestFirst, copyState, type CopyCounts } from './copy-state.js';

const NEW: CopyCounts = {
  ...{ fragmentsExpected: 3, active: 0, kept: 0, leaving: 0, deleted: 0 },
  ...{ wasComplete: false, isBeingWritten: false },
};

describe('the state of a copy', () => {
  it.each<[string, Partial<CopyCounts>]>([
    ['COMPLETE', { active: 3, kept: 3 }],
    ['COMPLETE', { active: 3, kept: 4, isBeingWritten: true, wasComplete: true }],
    ['IN_PROCESS', { isBeingWritten: true }],
    ['IN_PROCESS', { active: 2, kept: 2, isBeingWritten: true }],
    ['IN_PROCESS', { active: 3, kept: 3, fragmentsExpected: null, isBeingWritten: true }],
    ['IN_PROCESS', { deleted: 3, isBeingWritten: true }],
    ['INCOMPLETE', {}],
    ['INCOMPLETE', { active: 2, kept: 2 }],
    ['DEGRADED', { active: 2, kept: 3, wasComplete: true }],
    ['DEGRADED', { active: 2, kept: 3, wasComplete: true, isBeingWritten: true }],
    ['TO_BE_DELETED', { leaving: 3, wasComplete: true }],
    ['TO_BE_DELETED', { leaving: 1, deleted: 2 }],
    ['DELETED', { deleted: 3, wasComplete: true }],
  ])('is %s with %j', (state, over) => {
    expect(copyState({ ...NEW, ...over })).toBe(state);
  });

  it('is COMPLETE for exactly as many ACTIVE fragments as there should be, and for nothing else', () => {
    const counts: fc.Arbitrary<CopyCounts> = fc.record({
      fragmentsExpected: fc.option(fc.integer({ min: 1, max: 4 })),
      active: fc.nat(4),
      kept: fc.nat(4),
      leaving: fc.nat(4),
      deleted: fc.nat(4),
      wasComplete: fc.boolean(),
      isBeingWritten: fc.boolean(),
    });
    fc.assert(
      fc.property(counts, (copy) => {
        const isComplete = copyState(copy) === 'COMPLETE';
        expect(isComplete).toBe(copy.active === copy.fragmentsExpected);
      }),
    );
  });
});

describe('the sources of a fragment', () => {
  it('are tried from the best one on', () => {
    const copies = [
      { copy: 1, state: 'DEGRADED' },
      { copy: 2, state: 'COMPLETE' },
      { copy: 3, state: 'INCOMPLETE' },
      { copy: 4, state: 'COMPLETE' },
    ] as const;
    const sources = [
      { copy: 1, state: 'DAMAGED' },
      { copy: 4, state: 'ACTIVE' },
      { copy: 3, state: 'ACTIVE' },
      { copy: 2, state: 'ACTIVE' },
    ] as const;
    expect(bestFirst(sources, copies).map(({ copy }) => copy)).toEqual([2, 4, 3, 1]);
  });
});
