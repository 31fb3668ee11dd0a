import { describe, expect, it } from '@jest/globals';
import { SeedRuns } from './run-many.js';

const SEEDS_OF_A_TEST = 100;
const FIRST_SEED = 1_001;
const HUNDREDS = Array.from({ length: 10 }, (_, index) => FIRST_SEED + index * SEEDS_OF_A_TEST);

describe('Clusters end all that is open (I8) once nothing troubles them any more', () => {
  const runs = new SeedRuns('liveness');

  it.each(HUNDREDS)('with the hundred seeds from %i on', async (first) => {
    expect(await runs.failures(first, SEEDS_OF_A_TEST)).toEqual([]);
  });

  it('and meet everything that they should', () => {
    expect(runs.missed).toEqual([]);
  });
});
