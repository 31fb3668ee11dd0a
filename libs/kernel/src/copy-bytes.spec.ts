import { randomBytes } from 'node:crypto';

import { describe, expect, it } from '@jest/globals';

import { copyBytes } from './copy-bytes.js';

const shared = (bytes: Buffer): Buffer => {
  const copy = Buffer.from(new SharedArrayBuffer(bytes.length));
  copy.set(bytes);
  return copy;
};

describe('copyBytes', () => {
  const source = randomBytes(5_000);
  const before = randomBytes(9_000);
  it.each([
    ['plain to plain', source, Buffer.from(before)],
    ['shared to plain', shared(source), Buffer.from(before)],
    ['plain to shared', source, shared(before)],
  ])('copies %s, at any place, and touches nothing else', (_, from, to) => {
    for (const [begin, length, at] of [
      [0, 5_000, 4_000],
      [3, 4_321, 1],
      [7, 1, 8_999],
      [9, 0, 77],
    ] as const) {
      before.copy(to);
      copyBytes(from.subarray(begin, begin + length), to, at);
      const expected = Buffer.from(before);
      source.copy(expected, at, begin, begin + length);
      expect(to.equals(expected)).toBe(true);
    }
  });

  it('refuses what does not fit', () => {
    expect(() => copyBytes(Buffer.alloc(3), Buffer.alloc(10), 8)).toThrow(/out of range/);
  });
});
