import { describe, expect, it } from '@jest/globals';
import { durationMs } from '#kernel/duration.js';
import { durationText } from './duration.js';

describe('a length of time', () => {
  it('is read and written as people write it', () => {
    expect(['30m', '24h', '7d', '2w'].map(durationMs)).toEqual([
      1_800_000, 86_400_000, 604_800_000, 1_209_600_000,
    ]);
    expect([1_800_000, 43_200_000, 604_800_000, 5_000].map(durationText)).toEqual([
      '30m',
      '12h',
      '1w',
      '5 s',
    ]);
  });
});
