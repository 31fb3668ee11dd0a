import { describe, expect, it } from '@jest/globals';
import { backoffMs } from './backoff.js';

describe('back-off', () => {
  const options = { firstMs: 10, maxMs: 200, jitter: 0.5 };

  it('doubles up to its limit', () => {
    expect([1, 2, 3, 6, 99].map((attempt) => backoffMs(attempt, options, 1))).toEqual([
      10, 20, 40, 200, 200,
    ]);
  });

  it('leaves a share to chance', () => {
    expect(backoffMs(1, options, 0)).toBe(5);
  });
});
