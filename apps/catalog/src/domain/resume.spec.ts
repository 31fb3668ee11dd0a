import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { resumePointOf, type CommittedPiece } from './resume.js';

/** The pieces of an archive that was cut after these many bytes each. */
function piecesOf(sizes: readonly number[]): CommittedPiece[] {
  let archiveOffset = 0;
  return sizes.map((archiveBytes, index) => {
    const piece = { number: index + 1, archiveOffset, archiveBytes, storedBytes: 2 * archiveBytes };
    archiveOffset += archiveBytes;
    return piece;
  });
}

const sizes = fc.array(fc.integer({ min: 0, max: 1_000 }), { maxLength: 12 });

describe('the place where an attempt goes on', () => {
  it('is the beginning where nothing is committed', () => {
    expect(resumePointOf([])).toEqual({ nextNumber: 1, archiveOffset: 0, storedBytes: 0 });
  });

  it('is behind all that was committed, in whatever order', () => {
    const shuffled = sizes.chain((all) => {
      const pieces = piecesOf(all);
      return fc.shuffledSubarray(pieces, { minLength: pieces.length });
    });
    fc.assert(
      fc.property(shuffled, (pieces) => {
        const archiveOffset = pieces.reduce((sum, { archiveBytes }) => sum + archiveBytes, 0);
        expect(resumePointOf(pieces)).toEqual({
          nextNumber: pieces.length + 1,
          archiveOffset,
          storedBytes: 2 * archiveOffset,
        });
      }),
    );
  });

  it('is the first gap, whatever was committed behind it', () => {
    const withGap = fc.record({ all: sizes, gap: fc.nat({ max: 11 }), kept: fc.nat() });
    fc.assert(
      fc.property(withGap, ({ all, gap, kept }) => {
        fc.pre(gap < all.length);
        const pieces = piecesOf(all);
        const behind = pieces.slice(gap + 1).filter((_, index) => (kept >> index) % 2 === 1);
        const { number, archiveOffset } = pieces[gap]!;
        expect(resumePointOf([...behind, ...pieces.slice(0, gap)])).toEqual({
          nextNumber: number,
          archiveOffset,
          storedBytes: 2 * archiveOffset,
        });
      }),
    );
  });

  it('is in front of a piece whose archive bytes do not follow', () => {
    const [first, second] = piecesOf([10, 20]);
    const astray = { ...second!, archiveOffset: 11 };
    const point = { nextNumber: 2, archiveOffset: 10, storedBytes: 20 };
    expect(resumePointOf([first!, astray])).toEqual(point);
  });
});
