import { describe, expect, it } from '@jest/globals';
import { failuresOf, range } from './run-many.js';

const SEEDS_OF_A_TEST = 100;

describe('Clusters end everything that was open once nothing troubles them any more (I8):', () => {
  it.each([...range(10, 10)])('hundred %i', async (hundred) => {
    const seeds = range(hundred * SEEDS_OF_A_TEST, SEEDS_OF_A_TEST);
    expect(await failuresOf(seeds, 'liveness')).toEqual([]);
  });
});
