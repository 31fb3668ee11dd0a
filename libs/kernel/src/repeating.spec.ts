import { describe, expect, it } from '@jest/globals';
import { until } from '../../../test/support/until.js';
import { sleep } from './backoff.js';
import { Repeating } from './repeating.js';

describe('repeated work', () => {
  it('goes on after an error, and ends when it is stopped', async () => {
    const errors: unknown[] = [];
    let rounds = 0;
    const repeating = new Repeating({
      everyMs: 1,
      work: async () => {
        rounds += 1;
        if (rounds === 1) throw new Error('once');
      },
      onError: (error) => void errors.push(error),
    });
    repeating.start();
    await until(() => rounds >= 3);
    await repeating.stop();
    const atStop = rounds;
    await sleep(10);
    expect(rounds).toBe(atStop);
    expect(errors).toHaveLength(1);
  });

  it('takes a rest that became shorter at its word', async () => {
    let everyMs = 3_600_000;
    let rounds = 0;
    const repeating = new Repeating({
      everyMs: () => everyMs,
      work: async () => void rounds++,
      onError: () => undefined,
    });
    repeating.start();
    await until(() => rounds >= 1);
    everyMs = 1;
    await until(() => rounds >= 3);
    await repeating.stop();
    expect(rounds).toBeGreaterThanOrEqual(3);
  });

  it('is never stopped in the middle of a round', async () => {
    let ended = false;
    const repeating = new Repeating({
      everyMs: 1,
      work: async (signal) => {
        await sleep(20);
        ended = signal.aborted;
      },
      onError: () => undefined,
    });
    repeating.start();
    await repeating.stop();
    expect(ended).toBe(true);
  });
});
