import { describe, expect, it } from '@jest/globals';

import { judge, type FragmentEvidence, type Knowledge } from './evidence.js';

const DIGESTS = { digest: 'aa', indexDigest: 'bb' };
const WHOLE = { dataDigest: 'aa', indexDigest: 'bb', manifestDigest: 'aa' };
const PLACE = { imageId: 'c_1', copy: 1, number: 1, isGivenUp: false };

type Parts = { [K in 'catalog' | 'journal' | 'medium']?: FragmentEvidence[K] | null };

/** A fragment that is as it should be, but for some parts; null leaves a part out. */
function fragment(parts: Parts = {}, fragmentId = 'f1'): FragmentEvidence {
  const good = {
    catalog: { ...PLACE, state: 'ACTIVE', ...DIGESTS },
    journal: { phase: 'JUDGED', verdict: 'COMMITTED', ...DIGESTS },
    medium: WHOLE,
  };
  const entries = Object.entries({ ...good, ...parts }).filter(([, part]) => part !== null);
  return { fragmentId, ...Object.fromEntries(entries) };
}

function findings(fragments: FragmentEvidence[], known: Partial<Knowledge> = {}): string {
  const none = new Set<string>();
  const nothing = { committed: none, deleted: none, completed: none, sealed: none };
  const images = [{ imageId: 'c_1', state: 'COMPLETE' }];
  return judge({ fragments, images }, { ...nothing, ...known }).join('\n');
}

describe('what three witnesses say of a fragment', () => {
  it.each<[string, FragmentEvidence]>([
    ['is committed and whole', fragment()],
    [
      'was begun and never sealed',
      fragment({ catalog: null, journal: { phase: 'INTENT' }, medium: {} }),
    ],
    [
      'was begun, and nothing of it written',
      fragment({ catalog: null, journal: { phase: 'INTENT' }, medium: null }),
    ],
    [
      'was refused, and kept',
      fragment({ catalog: null, journal: { phase: 'JUDGED', verdict: 'FENCED', ...DIGESTS } }),
    ],
    [
      'was given up for a later attempt, and kept',
      fragment({ catalog: { ...PLACE, isGivenUp: true, state: 'DAMAGED', ...DIGESTS } }),
    ],
    [
      'was deleted by a tombstone',
      fragment({
        catalog: { ...PLACE, state: 'DELETED', ...DIGESTS },
        journal: { phase: 'REMOVED', ...DIGESTS },
        medium: null,
      }),
    ],
  ])('is right for one that %s', (_, one) => {
    expect(findings([one])).toBe('');
  });

  it.each<[string, FragmentEvidence, RegExp]>([
    ['bytes that are gone', fragment({ medium: null }), /ACTIVE, its data is missing/],
    ['other bytes', fragment({ medium: { ...WHOLE, dataDigest: 'cc' } }), /its data is different/],
    [
      'another index',
      fragment({ medium: { ...WHOLE, indexDigest: 'cc' } }),
      /its index is different/,
    ],
    [
      'a torn manifest',
      fragment({ medium: { ...WHOLE, manifestDigest: '' } }),
      /manifest cannot be read/,
    ],
    ['a journal that lost it', fragment({ journal: null }), /journal has it not at all/],
    [
      'a journal that is behind',
      fragment({ journal: { phase: 'INTENT' } }),
      /journal has it INTENT/,
    ],
    [
      'no verdict',
      fragment({ journal: { phase: 'SEALED', ...DIGESTS } }),
      /nobody has given it a verdict/,
    ],
    ['a catalog that lost it', fragment({ catalog: null }), /the catalog does not know it/],
    [
      'bytes of a refused one that are gone',
      fragment({
        catalog: null,
        journal: { phase: 'JUDGED', verdict: 'SUPERSEDED', ...DIGESTS },
        medium: null,
      }),
      /SUPERSEDED, its data is missing/,
    ],
    [
      'a removal that nobody granted',
      fragment({ journal: { phase: 'REMOVED', ...DIGESTS }, medium: null }),
      /journal has it REMOVED, the catalog has it ACTIVE/,
    ],
    [
      'bytes of one that was given up that are gone',
      fragment({
        catalog: { ...PLACE, isGivenUp: true, state: 'DAMAGED', ...DIGESTS },
        medium: null,
      }),
      /COMMITTED, its data is missing/,
    ],
    [
      'damage',
      fragment({ catalog: { ...PLACE, state: 'DAMAGED', ...DIGESTS } }),
      /the catalog shows it DAMAGED/,
    ],
  ])('tells of %s', (_, one, expected) => {
    expect(findings([one])).toMatch(expected);
  });

  it('tells of a number that is ACTIVE twice', () => {
    expect(findings([fragment(), fragment({}, 'f2')])).toMatch(/fragment 1 is ACTIVE 2 times/);
  });

  it('is held against what was seen before', () => {
    expect(findings([], { committed: new Set(['f9']) })).toMatch(/f9: .* the catalog has lost it/);
    expect(findings([fragment()], { deleted: new Set(['f1']) })).toMatch(/f1: it was deleted/);
    expect(findings([], { sealed: new Set(['f9']) })).toMatch(/f9: .* gone without a tombstone/);
    expect(findings([], { completed: new Set(['c_2']) })).toMatch(/c_2 was COMPLETE/);
  });
});
