import { describe, expect, it } from '@jest/globals';
import { failuresOf, range } from './run-many.js';

const SEEDS_OF_A_TEST = 100;

describe('Clusters keep I1 to I7 at every step, whatever happens to them:', () => {
  it.each([...range(0, 10)])('hundred %i', async (hundred) => {
    const seeds = range(hundred * SEEDS_OF_A_TEST, SEEDS_OF_A_TEST);
    expect(await failuresOf(seeds, 'safety')).toEqual([]);
  });
});
