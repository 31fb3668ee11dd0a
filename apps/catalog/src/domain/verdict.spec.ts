import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { FragmentCommit } from '#contracts/fragment.js';
import { batchesOf, CommitModel, deliveries, slot } from '../testing/commit-model.js';
import { judge, mayCommit, recalledFence } from './verdict.js';

const offer: FragmentCommit = {
  fragmentId: '01900000-0000-7000-8000-000000000001',
  imageId: 'web1_1',
  copy: 1,
  number: 1,
  attempt: 2,
  mediaId: 'm1',
  pool: 'default',
  archiveOffset: 0,
  archiveBytes: 10,
  storedBytes: 5,
  digest: 'a'.repeat(64),
  indexBytes: 1,
  indexDigest: 'b'.repeat(64),
  frames: 1,
  last: true,
  sealedAt: '2026-01-01T00:00:00.000Z',
};
const another = { ...offer, fragmentId: '01900000-0000-7000-8000-000000000002' };
const nothing = { same: undefined, holder: undefined };
const itself = { same: offer, holder: offer };

describe('the verdict on a commit', () => {
  it('is COMMITTED for what is in the catalog, whatever the fence says now', () => {
    expect(judge(offer, itself, { attempt: 2 })).toBe('COMMITTED');
    expect(judge(offer, itself, { attempt: 9 })).toBe('COMMITTED');
    expect(judge(offer, { same: offer, holder: undefined }, { attempt: 9 })).toBe('COMMITTED');
  });

  it.each([
    ['digest', { digest: 'c'.repeat(64) }],
    ['size', { storedBytes: 6 }],
    ['number', { number: 2 }],
    ['image', { imageId: 'web1_2' }],
  ])('is CORRUPT for the same id with another %s', (_, change) => {
    expect(judge({ ...offer, ...change }, itself, { attempt: 2 })).toBe('CORRUPT');
  });

  it('is SUPERSEDED where another fragment holds the number, of whatever attempt', () => {
    const held = { same: undefined, holder: another };
    expect(judge(offer, held, { attempt: 2 })).toBe('SUPERSEDED');
    expect(judge(offer, held, { attempt: 3 })).toBe('SUPERSEDED');
  });

  it('is COMMITTED where what held the number is damaged or deleted: it holds it no more', () => {
    expect(mayCommit(offer, { attempt: 2 })).toBe(true);
    expect(judge(offer, { same: offer, holder: undefined }, { attempt: 2 })).toBe('COMMITTED');
  });

  it('is CORRUPT for other bytes of the archive than another copy has under the number', () => {
    const twin = { archiveOffset: 0, archiveBytes: 11 };
    expect(mayCommit(offer, { attempt: 2 }, twin)).toBe(false);
    expect(judge(offer, { ...nothing, twin }, { attempt: 2 })).toBe('CORRUPT');
    expect(mayCommit(offer, { attempt: 2 }, offer)).toBe(true);
    expect(judge(offer, { ...itself, twin }, { attempt: 2 })).toBe('COMMITTED');
  });

  it('is FENCED for an older attempt at a free number', () => {
    expect(judge(offer, nothing, { attempt: 3 })).toBe('FENCED');
  });

  it('is UNKNOWN_IMAGE where the catalog never made the image, or never granted the attempt', () => {
    expect(judge(offer, nothing, undefined)).toBe('UNKNOWN_IMAGE');
    expect(judge(offer, nothing, { attempt: 1 })).toBe('UNKNOWN_IMAGE');
  });
});

const FENCES = new Map([
  ['web1_1', { attempt: 1 }],
  ['web1_2', { attempt: 2 }],
]);

describe('deliveries in any order, any number of times, in any batches', () => {
  it('lead to the same rows and the same last verdicts', () => {
    fc.assert(
      fc.property(deliveries('web1_'), ({ offers, order, cuts }) => {
        const plain = new CommitModel(FENCES);
        plain.deliver(offers);
        const mixed = new CommitModel(FENCES);
        for (const batch of batchesOf(order, cuts)) mixed.deliver(batch);
        mixed.deliver(offers);
        expect([...mixed.rows.keys()].sort()).toEqual([...plain.rows.keys()].sort());
        expect(mixed.deliver(offers)).toEqual(plain.deliver(offers));
      }),
    );
  });

  it('leave at most one fragment at each number, and never take one back', () => {
    fc.assert(
      fc.property(deliveries('web1_'), ({ order, cuts }) => {
        const model = new CommitModel(FENCES);
        const committed = new Set<string>();
        for (const batch of batchesOf(order, cuts)) {
          const verdicts = model.deliver(batch);
          batch.forEach((commit, index) => {
            if (verdicts[index] === 'COMMITTED') committed.add(commit.fragmentId);
          });
          const held = [...model.rows.values()].map(slot);
          expect(new Set(held).size).toBe(held.length);
          expect(new Set(model.rows.keys())).toEqual(committed);
        }
      }),
    );
  });
});

describe('a fence', () => {
  const old = { attempt: 2, isOfEarlierEra: true };

  it('rises to the highest attempt that is offered, where the catalog may have forgotten it', () => {
    expect(recalledFence(old, [1, 5, 3])).toBe(5);
  });

  it.each([
    ['of this era', { attempt: 2, isOfEarlierEra: false }, [5]],
    ['that is right', old, [2]],
    ['that is higher', old, [1]],
    ['that there is not', undefined, [1]],
  ])('stays where it is: one %s', (_, fence, offered) => {
    expect(recalledFence(fence, offered)).toBeUndefined();
  });
});
