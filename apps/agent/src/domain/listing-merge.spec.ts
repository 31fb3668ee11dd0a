import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';

import { compareArchivePaths, isWithin } from '#archive/archive-order.js';

import { DamagedListing, ListingMerge } from './listing-merge.js';

const lineOf = (path: string) => `f\t${path}\t0`;

function mergeOf(paths: readonly string[]) {
  const rest = paths.map(lineOf);
  const gone: string[] = [];
  return {
    gone,
    merge: new ListingMerge(
      () => rest.shift(),
      (path) => gone.push(path),
    ),
  };
}

const paths = fc
  .uniqueArray(fc.stringMatching(/^[ab.](\/[ab.]){0,3}$/), { maxLength: 25 })
  .map((some) => some.sort(compareArchivePaths));

describe('the merge of walk and listing', () => {
  it('finds what is in both, and calls gone exactly what the walk did not meet', () => {
    fc.assert(
      fc.property(paths, paths, (listed, walked) => {
        const { gone, merge } = mergeOf(listed);
        for (const path of walked) {
          const expected = listed.includes(path) ? lineOf(path) : undefined;
          expect(merge.advanceTo(path)).toBe(expected);
        }
        merge.finish();
        expect(gone).toEqual(listed.filter((path) => !walked.includes(path)));
      }),
    );
  });

  it('keeps what lies below a folder that could not be read', () => {
    fc.assert(
      fc.property(paths, fc.constantFrom('a', 'a/b', 'b/.'), (listed, hidden) => {
        const { gone, merge } = mergeOf(listed);
        const kept: string[] = [];
        merge.keepWithin(hidden, (line) => kept.push(line));
        merge.finish();
        expect(kept).toEqual(listed.filter((path) => isWithin(path, hidden)).map(lineOf));
        expect(gone).toEqual(listed.filter((path) => !isWithin(path, hidden)));
      }),
    );
  });

  it('trusts no listing that is out of order or no listing at all', () => {
    expect(() => mergeOf(['b', 'a']).merge.finish()).toThrow(DamagedListing);
    expect(
      () =>
        new ListingMerge(
          () => 'nonsense',
          () => undefined,
        ),
    ).toThrow(DamagedListing);
  });
});
