import { describe, expect, it } from '@jest/globals';

import { randomFrom } from '../support/random.js';
import { planLosses } from './loss-plan.js';

const workloads = ['full', 'pair', 'expire'];

describe('the losses of a campaign', () => {
  it('are the same for the same seed, and others for another', () => {
    const plan = (seed: number) => planLosses({ seed, count: 20, workloads });
    expect(plan(7)).toEqual(plan(7));
    expect(plan(7)).not.toEqual(plan(8));
  });

  it('wait for no deletion where nothing is deleted', () => {
    const losses = planLosses({ seed: 1, count: 200, workloads: ['full', 'pair'] });
    expect(losses.filter(({ trigger }) => trigger.after === 'deleted')).toEqual([]);
    expect(losses.flatMap((loss) => loss.workloads.map(({ name }) => name))).not.toContain(
      'expire',
    );
  });

  it('come under work of every kind, by every trigger, and while everything starts', () => {
    const losses = planLosses({ seed: 1, count: 200, workloads });
    const kinds = new Set(losses.map(({ during, trigger }) => `${during} ${trigger.after}`));
    expect([...kinds].sort()).toEqual([
      'start start',
      'work begun',
      'work committed',
      'work completed',
      'work deleted',
    ]);
    const names = losses.flatMap((loss) => loss.workloads.map(({ name }) => name));
    expect(new Set(names)).toEqual(new Set(workloads));
    expect(losses[0]!.during).toBe('work');
  });

  it('are chosen with numbers from 0 to 1', () => {
    const random = randomFrom(3);
    const numbers = Array.from({ length: 1_000 }, random);
    expect(Math.min(...numbers)).toBeGreaterThanOrEqual(0);
    expect(Math.max(...numbers)).toBeLessThan(1);
    expect(numbers.reduce((sum, one) => sum + one, 0) / 1_000).toBeCloseTo(0.5, 1);
  });
});
