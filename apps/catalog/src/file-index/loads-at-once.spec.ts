import { describe, expect, it } from '@jest/globals';
import { loadsAtOnce } from './loads-at-once.js';

describe('loads at once', () => {
  it.each([
    [2, 6, 2],
    [8, 6, 2],
    [8, 17, 8],
    [2, 3, 1],
    [2, 2, 1],
    [1, 100, 1],
  ])('of %i that are wanted, on %i connections: %i', (wanted, connections, loads) => {
    expect(loadsAtOnce(wanted, connections)).toBe(loads);
  });
});
