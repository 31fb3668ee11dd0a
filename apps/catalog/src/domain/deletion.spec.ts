import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { answerClaim, decideDeletion, type Deletable, type DeletionInput } from './deletion.js';

const FREE = { pins: 0, holds: 0, isLastGood: false };
const ACTIVE: Deletable = { state: 'ACTIVE', deletableAt: null, tombstoneId: null };

function after(fragment: Deletable, input: DeletionInput, now = 0): Deletable {
  return decideDeletion(fragment, input, now).fragment ?? fragment;
}

const retire = { type: 'retire', ties: FREE, deletableAt: 100 } as const;
const grant = { type: 'grant', ties: FREE, tombstoneId: 't1' } as const;

describe('the deletion of a fragment', () => {
  it('goes from ACTIVE over a grace period and a grant to DELETED', () => {
    const marked = after(ACTIVE, retire);
    expect(marked.state).toBe('TO_BE_DELETED');
    expect(decideDeletion(marked, grant, 99).refused).toMatch(/grace/);
    const granted = after(marked, grant, 100);
    expect(granted).toMatchObject({ state: 'DELETING', tombstoneId: 't1' });
    expect(after(granted, { type: 'report', tombstoneId: 't1' })).toMatchObject({
      state: 'DELETED',
    });
  });

  it('can be taken back until it is granted', () => {
    const marked = after(ACTIVE, retire);
    expect(after(marked, { type: 'undelete' })).toEqual(ACTIVE);
    const granted = after(marked, grant, 100);
    expect(decideDeletion(granted, { type: 'undelete' }, 100).refused).toMatch(/DELETING/);
  });

  it('of a damaged one leaves it DAMAGED until the grant: nothing makes it ACTIVE', () => {
    const damaged: Deletable = { ...ACTIVE, state: 'DAMAGED' };
    const last = { ...retire, ties: { ...FREE, isLastGood: true } };
    const marked = after(damaged, last);
    expect(marked).toMatchObject({ state: 'DAMAGED', deletableAt: 100 });
    expect(decideDeletion(marked, retire, 0).refused).toMatch(/already/);
    expect(after(marked, { type: 'undelete' })).toEqual(damaged);
    expect(decideDeletion(damaged, grant, 100).refused).toMatch(/DAMAGED/);
    const granted = after(marked, { ...grant, ties: { ...FREE, isLastGood: true } }, 100);
    expect(granted).toMatchObject({ state: 'DELETING', tombstoneId: 't1' });
  });

  it.each([
    ['a pin', { ...FREE, pins: 1 }, /job reads/],
    ['a hold', { ...FREE, holds: 1 }, /hold/],
    ['being the last good copy', { ...FREE, isLastGood: true }, /last good/],
  ])('is refused by %s, when marking and when granting', (_, ties, why) => {
    expect(decideDeletion(ACTIVE, { ...retire, ties }, 0).refused).toMatch(why);
    const marked = after(ACTIVE, retire);
    expect(decideDeletion(marked, { ...grant, ties }, 100).refused).toMatch(why);
  });

  it('is confirmed for the granted tombstone alone', () => {
    const granted = after(after(ACTIVE, retire), grant, 100);
    expect(answerClaim(granted, 't1').confirmed).toBe(true);
    expect(answerClaim(granted, 't2').confirmed).toBe(false);
    expect(answerClaim(ACTIVE, 't1').confirmed).toBe(false);
    expect(answerClaim(undefined, 't1').confirmed).toBe(false);
  });

  it('is never granted while something ties the fragment, in whatever order things happen', () => {
    const ties = fc.record({
      pins: fc.integer({ min: 0, max: 1 }),
      holds: fc.integer({ min: 0, max: 1 }),
      isLastGood: fc.boolean(),
    });
    const input: fc.Arbitrary<DeletionInput> = fc.oneof(
      ties.map((t) => ({ type: 'retire', ties: t, deletableAt: 50 }) as const),
      fc.constant({ type: 'undelete' } as const),
      ties.map((t) => ({ type: 'grant', ties: t, tombstoneId: 't' }) as const),
      fc.constantFrom('t', 'u').map((tombstoneId) => ({ type: 'report', tombstoneId }) as const),
    );
    fc.assert(
      fc.property(fc.array(fc.tuple(input, fc.integer({ min: 0, max: 100 }))), (steps) => {
        let fragment = ACTIVE;
        for (const [step, now] of steps) {
          const next = after(fragment, step, now);
          const isGranted = next.state === 'DELETING' && fragment.state !== 'DELETING';
          if (isGranted) {
            expect(fragment.state).toBe('TO_BE_DELETED');
            expect(step).toMatchObject({ ties: { pins: 0, holds: 0, isLastGood: false } });
            expect(now).toBeGreaterThanOrEqual(50);
          }
          if (fragment.state === 'DELETING') expect(['DELETING', 'DELETED']).toContain(next.state);
          if (fragment.state === 'DELETED') expect(next).toEqual(fragment);
          fragment = next;
        }
      }),
    );
  });
});
