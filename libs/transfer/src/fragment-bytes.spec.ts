import { describe, expect, it } from '@jest/globals';
import { FRAGMENT_NUMBER_MAX } from '#storage/fragment-name.js';
import { fragmentBytesMaxAt } from './fragment-bytes.js';

const MIB = 2 ** 20;
const TB = 1e12;

/** What all fragments of an image hold together. */
function imageBytesMax(fragmentBytesMax: number): number {
  let sum = 0;
  for (let number = 1; number <= FRAGMENT_NUMBER_MAX; number++) {
    sum += fragmentBytesMaxAt(number, fragmentBytesMax);
  }
  return sum;
}

describe('how large a fragment may be', () => {
  it('is what was set, up to fragment 50,000, and the double behind each 5,000 further ones', () => {
    const of = (...numbers: number[]) => numbers.map((n) => fragmentBytesMaxAt(n, 64 * MIB) / MIB);
    expect(of(1, 50_000, 50_001, 55_000, 55_001, 60_001)).toEqual([64, 64, 128, 128, 256, 512]);
    expect(of(FRAGMENT_NUMBER_MAX)).toEqual([65_536]);
  });

  it('leaves room for a large image, however small the fragments of its unit are', () => {
    expect(imageBytesMax(2 * MIB)).toBeGreaterThan(20 * TB);
    expect(imageBytesMax(64 * MIB)).toBeGreaterThan(600 * TB);
  });

  it('never exceeds a terabyte', () => {
    expect(fragmentBytesMaxAt(FRAGMENT_NUMBER_MAX, 2 ** 40)).toBe(2 ** 40);
    expect(fragmentBytesMaxAt(FRAGMENT_NUMBER_MAX, 100 * 2 ** 30)).toBe(2 ** 40);
  });
});
