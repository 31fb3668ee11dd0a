import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';

import { compareArchivePaths, isWithin } from '#archive/archive-order.js';

import { commonColumns } from '#archive/index-line.js';
import { listingLine, pathOfListingLine } from '#archive/listing-line.js';

import { DamagedListing, ListingMerge, type Lines } from './listing-merge.js';

const FOUND = {
  type: 'f' as const,
  ...{ size: 1, mode: 0o644, uid: 0, gid: 0, inode: 2 },
  ...{ mtimeSeconds: 1, mtimeNanos: 0, ctimeSeconds: 1, ctimeNanos: 0 },
};

const lineOf = (path: string, size = FOUND.size) =>
  listingLine(commonColumns({ ...FOUND, path, size, mtimeNs: '1000000000' }), '1000000000', {
    ...{ inode: FOUND.inode, device: '8:1' },
  });

function linesOf(texts: readonly string[]): Lines {
  const rest = [...texts];
  const lines = { block: Buffer.alloc(0), start: 0, end: 0 };
  return Object.assign(lines, {
    next() {
      const line = rest.shift();
      if (line === undefined) return false;
      lines.block = Buffer.from(line, 'latin1');
      lines.end = lines.block.length;
      return true;
    },
    text: () => lines.block.toString('latin1'),
  });
}

function mergeOf(paths: readonly string[]) {
  const gone: string[] = [];
  const lines = linesOf(paths.map((path) => lineOf(path)));
  return { gone, merge: new ListingMerge(lines, (path) => gone.push(path)) };
}

const SOME = ['a', 'a/b', 'a/c', 'a.b', 'b', 'b/c', 'c'];

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
        expect(kept).toEqual(
          listed.filter((path) => isWithin(path, hidden)).map((path) => lineOf(path)),
        );
        expect(gone).toEqual(listed.filter((path) => !isWithin(path, hidden)));
      }),
    );
  });

  it('trusts no listing that is out of order or no listing at all', () => {
    expect(() => mergeOf(['b', 'a']).merge.finish()).toThrow(DamagedListing);
    const merge = new ListingMerge(linesOf(['nonsense']), () => undefined);
    expect(() => merge.finish()).toThrow(DamagedListing);
  });

  it('finds the same whether or not what has not changed is passed the quick way', () => {
    const walk = fc.uniqueArray(fc.tuple(fc.constantFrom(...SOME), fc.boolean()), {
      selector: ([path]) => path,
    });
    fc.assert(
      fc.property(fc.subarray(SOME), walk, (listed, walked) => {
        const { gone, merge } = mergeOf(listed);
        const same: string[] = [];
        const target = {
          addBytes: (block: Uint8Array, start: number, end: number) =>
            void same.push(Buffer.from(block).toString('latin1', start, end)),
        };
        const other: string[] = [];
        for (const [path, changed] of walked.sort(([a], [b]) => compareArchivePaths(a, b))) {
          const found = { ...FOUND, size: changed ? 2 : 1 };
          if (merge.takeSame(path, found, target)) continue;
          const line = merge.advanceTo(path);
          if (line !== undefined) other.push(line);
        }
        merge.finish();
        const paths = walked.map(([path]) => path);
        expect(gone).toEqual(listed.filter((path) => !paths.includes(path)));
        const met = listed.filter((path) => paths.includes(path)).map((path) => lineOf(path));
        expect([...same, ...other].sort()).toEqual(met.sort());
        for (const line of same) expect(walked).toContainEqual([pathOfListingLine(line), false]);
      }),
    );
  });

  it('trusts no listing that is out of order behind what was passed the quick way', () => {
    const { merge } = mergeOf(['b', 'a']);
    expect(merge.takeSame('b', FOUND, { addBytes: () => undefined })).toBe(true);
    expect(() => merge.finish()).toThrow(DamagedListing);
  });
});
