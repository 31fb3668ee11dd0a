import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { planExpiry, type CopyFacts, type ImageFacts } from './expiry.js';

const NOW = new Date('2026-06-01T00:00:00Z');
const EXPIRED = new Date('2026-05-01T00:00:00Z');
const UNEXPIRED = new Date('2026-07-01T00:00:00Z');

function copyOf(copy: number, over: Partial<CopyFacts> = {}): CopyFacts {
  return { copy, isGood: true, isMarked: false, fragments: 3, storedBytes: 9, pins: 0, ...over };
}

function imageOf(over: Partial<ImageFacts> = {}): ImageFacts {
  return {
    ...{ imageId: 'web1_1', isBeingMade: false, expiresAt: EXPIRED, holds: [], dependents: [] },
    copies: [copyOf(1)],
    ...over,
  };
}

describe('expiration', () => {
  it('lets all copies of an expired image go', () => {
    const decisions = planExpiry(imageOf({ copies: [copyOf(1), copyOf(2)] }), {}, NOW);
    expect(decisions.map(({ decision }) => decision)).toEqual(['delete', 'delete']);
    expect(decisions[0]!.reasons).toEqual(['expired 2026-05-01T00:00:00.000Z']);
  });

  it.each<[string, Partial<ImageFacts>, RegExp]>([
    ['on hold', { holds: ['lawsuit'] }, /on hold: lawsuit/],
    ['not expired', { expiresAt: UNEXPIRED }, /expires 2026-07-01/],
    ['kept for ever', { expiresAt: null }, /never expires/],
    ['still being made', { isBeingMade: true }, /still running/],
    ['read by a job', { copies: [copyOf(1, { pins: 2 })] }, /2 running jobs read it/],
    ['needed by an image that builds on it', { dependents: ['web1_2'] }, /web1_2 builds on/],
    ['marked', { copies: [copyOf(1, { isMarked: true })] }, /already/],
    ['written by a job', { copies: [copyOf(1, { isBeingWritten: true })] }, /job writes it/],
  ])('keeps an image that is %s, and says so', (_, over, reason) => {
    const [decision] = planExpiry(imageOf(over), {}, NOW);
    expect(decision).toMatchObject({ decision: 'keep' });
    expect(decision!.reasons.join()).toMatch(reason);
  });

  it('lets one of two good copies go before the image expires, never the last one', () => {
    const two = imageOf({ expiresAt: UNEXPIRED, copies: [copyOf(1), copyOf(2)] });
    expect(planExpiry(two, { copy: 1 }, NOW)[0]).toMatchObject({ decision: 'delete' });
    const one = imageOf({
      expiresAt: UNEXPIRED,
      copies: [copyOf(1), copyOf(2, { isGood: false })],
    });
    expect(planExpiry(one, { copy: 1 }, NOW)[0]!.reasons.join()).toMatch(/last good copy/);
    expect(planExpiry(one, { copy: 2 }, NOW)[0]).toMatchObject({ decision: 'delete' });
  });

  it('keeps all copies of a needed image that has no good one', () => {
    const copies = [copyOf(1, { isGood: false }), copyOf(2, { isGood: false })];
    const needed = imageOf({ expiresAt: UNEXPIRED, copies });
    const [decision] = planExpiry(needed, { copy: 1 }, NOW);
    expect(decision!.reasons).toEqual([
      'there is no good copy of an image that expires 2026-07-01T00:00:00.000Z',
    ]);
    const expired = planExpiry(imageOf({ copies }), {}, NOW);
    expect(expired.map(({ decision: what }) => what)).toEqual(['delete', 'delete']);
  });

  it('never leaves an image that is needed without a good copy that it had', () => {
    const copies = fc
      .array(
        fc.record({
          isGood: fc.boolean(),
          isMarked: fc.boolean(),
          pins: fc.integer({ min: 0, max: 1 }),
        }),
        { minLength: 1, maxLength: 4 },
      )
      .map((all) => all.map((facts, at) => copyOf(at + 1, facts)));
    const image = fc.record({
      copies,
      expiresAt: fc.constantFrom(EXPIRED, UNEXPIRED, null),
      dependents: fc.constantFrom([], ['web1_2']),
    });
    const named = fc.option(fc.integer({ min: 1, max: 4 }), { nil: undefined });
    fc.assert(
      fc.property(image, named, (over, copy) => {
        const facts = imageOf(over);
        const gone = new Set(
          planExpiry(facts, { copy }, NOW)
            .filter(({ decision }) => decision === 'delete')
            .map((each) => each.copy),
        );
        const good = facts.copies.filter(({ isGood, isMarked }) => isGood && !isMarked);
        const isNeeded =
          facts.expiresAt === null || facts.expiresAt > NOW || facts.dependents.length > 0;
        const left = good.filter((each) => !gone.has(each.copy));
        if (isNeeded && good.length > 0) expect(left.length).toBeGreaterThan(0);
      }),
    );
  });
});
