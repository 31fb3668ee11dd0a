import { randomBytes } from 'node:crypto';

import { describe, expect, it } from '@jest/globals';
import { blake3 as ofLibrary } from '@napi-rs/blake-hash';

import { blake3 } from './blake3.js';

describe('BLAKE3', () => {
  it('is what the standard says of nothing, and of a text', () => {
    expect(blake3([]).toString('hex')).toBe(
      'af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262',
    );
    expect(blake3('abc').toString('hex')).toBe(
      '6437b3ac38465133ffb63b75273a8db548c558465d79db03fd359c6cd5bd9d85',
    );
  });

  it.each([1, 63, 64, 1_024, 1_025, 100_000])('of %i bytes is one, however they are cut', (n) => {
    const bytes = randomBytes(n);
    const cut = Math.floor(n / 3);
    const whole = ofLibrary(bytes);
    expect(blake3(bytes).equals(whole)).toBe(true);
    expect(blake3([bytes.subarray(0, cut), bytes.subarray(cut)]).equals(whole)).toBe(true);
  });

  it('of a million pieces is one', () => {
    const bytes = randomBytes(1_000_000);
    const pieces = Array.from(bytes, (_, at) => bytes.subarray(at, at + 1));
    expect(blake3(pieces).equals(ofLibrary(bytes))).toBe(true);
  });

  it('of memory that threads share is the same', () => {
    const bytes = randomBytes(10_000);
    const shared = Buffer.from(new SharedArrayBuffer(bytes.length));
    shared.set(bytes);
    expect(blake3(shared).equals(ofLibrary(bytes))).toBe(true);
  });
});
