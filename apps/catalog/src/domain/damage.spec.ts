import { describe, expect, it } from '@jest/globals';
import { decideDamage, type Suspect } from './damage.js';

const ACTIVE: Suspect = {
  ...{ state: 'ACTIVE', deletableAt: null, tombstoneId: null },
  ...{ isGivenUp: false, isReplaced: false },
};
const MARKED: Suspect = { ...ACTIVE, state: 'TO_BE_DELETED', deletableAt: 5 };
const DAMAGED: Suspect = { ...ACTIVE, state: 'DAMAGED' };

describe('a fragment whose media server looked at its bytes', () => {
  it.each(['missing', 'damaged', 'partial'] as const)('is DAMAGED where they are %s', (bytes) => {
    expect(decideDamage(ACTIVE, bytes)).toMatchObject({ state: 'DAMAGED', deletableAt: null });
    expect(decideDamage(MARKED, bytes)).toMatchObject({ state: 'DAMAGED', deletableAt: 5 });
    expect(decideDamage(DAMAGED, bytes)).toBeUndefined();
  });

  it('stays as it is where they are whole, or were moved aside by a tombstone', () => {
    expect(decideDamage(ACTIVE, 'whole')).toBeUndefined();
    expect(decideDamage(ACTIVE, 'trash')).toBeUndefined();
    expect(decideDamage(DAMAGED, 'trash')).toBeUndefined();
  });

  it('is good again where they came back, unless something has taken its place', () => {
    expect(decideDamage(DAMAGED, 'whole')).toMatchObject({ state: 'ACTIVE' });
    const marked = { ...DAMAGED, deletableAt: 5 };
    expect(decideDamage(marked, 'whole')).toMatchObject({ state: 'TO_BE_DELETED', deletableAt: 5 });
    expect(decideDamage({ ...DAMAGED, isReplaced: true }, 'whole')).toBeUndefined();
    expect(decideDamage({ ...DAMAGED, isGivenUp: true }, 'whole')).toBeUndefined();
  });

  it.each(['DELETING', 'DELETED'] as const)('does not change when it is %s', (state) => {
    const leaving = { ...ACTIVE, state, tombstoneId: 't' };
    for (const bytes of ['missing', 'whole', 'damaged', 'trash', 'partial'] as const) {
      expect(decideDamage(leaving, bytes)).toBeUndefined();
    }
  });
});
