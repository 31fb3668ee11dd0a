import { describe, expect, it } from '@jest/globals';
import { MUTANTS, type Mutant } from './mutants.js';
import { runSeed } from './run-seed.js';

/** A mistake that takes more than this to be found would be missed in daily life. */
const SEEDS_MAX = 200;

async function firstViolation({ rules, mode, setting }: Mutant): Promise<string | undefined> {
  for (let seed = 1; seed <= SEEDS_MAX; seed += 1) {
    const { violation } = await runSeed(String(seed), { mode, rules, ...(setting && { setting }) });
    if (violation) return violation.message;
  }
  return undefined;
}

describe('The simulator finds a cluster that', () => {
  it.each(Object.entries(MUTANTS))('%s', async (_, mutant) => {
    const message = await firstViolation(mutant);
    expect(message?.slice(0, mutant.breaks.length)).toBe(mutant.breaks);
  });
});
