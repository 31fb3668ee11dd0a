import { describe, expect, it } from '@jest/globals';
import { fragmentVerifyMsMax } from './media.js';

describe('the time that a fragment has to be verified', () => {
  it('is enough for its size on a slow disk, and for those that are read in front of it', () => {
    const slow = (bytes: number) => (bytes / 20e6) * 1_000;
    expect(fragmentVerifyMsMax(1_000)).toBeGreaterThan(10 * 60_000);
    for (const bytes of [2 ** 30, 102 * 2 ** 30, 2 ** 40]) {
      expect(fragmentVerifyMsMax(bytes)).toBeGreaterThan(slow(bytes) + 10 * 60_000);
    }
  });
});
