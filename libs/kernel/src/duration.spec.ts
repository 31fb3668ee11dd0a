import { describe, expect, it } from '@jest/globals';
import { durationMs } from './duration.js';

describe('a duration', () => {
  it.each([
    ['250ms', 250],
    ['0s', 0],
    ['90s', 90_000],
    ['10m', 600_000],
    ['24h', 86_400_000],
    ['7d', 604_800_000],
    ['2w', 1_209_600_000],
  ])('%s is %d milliseconds', (text, ms) => {
    expect(durationMs(text)).toBe(ms);
  });

  it.each(['', '5', '-1s', '1.5h', ' 1s', '9999999999s'])('is not %j', (text) => {
    expect(() => durationMs(text)).toThrow('is no length of time');
  });
});
