import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { compareArchivePaths, isWithin } from './archive-order.js';

const path = fc
  .array(fc.stringMatching(/^[a.!\-0]{1,3}$/), { minLength: 0, maxLength: 4 })
  .map((parts) => parts.join('/'));

describe('archive order', () => {
  it('puts a folder and what it holds before names that only begin like it', () => {
    const sorted = ['', 'a', 'a/b', 'a/b/c', 'a-b', 'a.b', 'a.b/c', 'b'];
    expect([...sorted].reverse().sort(compareArchivePaths)).toEqual(sorted);
  });

  it('is the order of the components', () => {
    fc.assert(
      fc.property(path, path, (a, b) => {
        const left = a === '' ? [] : a.split('/');
        const right = b === '' ? [] : b.split('/');
        let expected = left.length - right.length;
        for (let at = 0; at < Math.min(left.length, right.length); at++) {
          if (left[at] === right[at]) continue;
          expected = left[at]! < right[at]! ? -1 : 1;
          break;
        }
        expect(Math.sign(compareArchivePaths(a, b))).toBe(Math.sign(expected));
      }),
    );
  });

  it('keeps what lies within a folder together', () => {
    expect(isWithin('a/b', 'a')).toBe(true);
    expect(isWithin('a', 'a')).toBe(true);
    expect(isWithin('ab', 'a')).toBe(false);
    expect(isWithin('a', '')).toBe(true);
  });
});
