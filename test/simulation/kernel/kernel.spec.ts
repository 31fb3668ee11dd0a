import { describe, expect, it } from '@jest/globals';
import { MUTANTS } from '../mutants.js';
import { runSeed } from '../run-seed.js';
import { Chance } from './chance.js';
import { EventQueue } from './event-queue.js';
import { Faults } from './faults.js';
import { shrink } from './shrink.js';

describe('Chance', () => {
  it('is the same for the same seed, and another for another', () => {
    const draw = (seed: string) => {
      const chance = new Chance(seed);
      return Array.from({ length: 20 }, () => chance.next());
    };
    expect(draw('a')).toEqual(draw('a'));
    expect(draw('a')).not.toEqual(draw('b'));
    for (const number of draw('c')) {
      expect(number).toBeGreaterThanOrEqual(0);
      expect(number).toBeLessThan(1);
    }
  });

  it('is spread evenly', () => {
    const chance = new Chance('dice');
    const counts = [0, 0, 0, 0, 0, 0];
    for (let throws = 0; throws < 60_000; throws += 1) counts[chance.between(0, 5)]! += 1;
    for (const count of counts) expect(Math.abs(count - 10_000)).toBeLessThan(500);
  });
});

describe('The queue of events', () => {
  it('gives the earliest first, and those of one moment in the order in which they came', () => {
    const chance = new Chance('queue');
    const queue = new EventQueue();
    const times = Array.from({ length: 500 }, () => chance.between(0, 50));
    const seen: [number, number][] = [];
    times.forEach((at, index) => queue.add(at, () => void seen.push([at, index])));
    for (let next = queue.take(); next; next = queue.take()) next.run();
    const expected = times.map((at, index): [number, number] => [at, index]);
    expect(seen).toEqual(expected.sort((a, b) => a[0] - b[0] || a[1] - b[1]));
  });
});

describe('Faults', () => {
  it('strike by chance at their rate, and by a plan exactly where it says', () => {
    const drawn = new Faults('s', { kill: 0.1 });
    for (let turn = 0; turn < 10_000; turn += 1) drawn.strikes('kill', 'media-1');
    expect(Math.abs(drawn.struck.length - 1_000)).toBeLessThan(150);
    const planned = new Faults('s', { kill: 0.1 }, new Set(drawn.struck.slice(0, 3)));
    for (let turn = 0; turn < 10_000; turn += 1) planned.strikes('kill', 'media-1');
    expect(planned.struck).toEqual(drawn.struck.slice(0, 3));
  });

  it('are no more when they have ended', () => {
    const faults = new Faults('s', { kill: 1 });
    expect(faults.strikes('kill', 'a')).toBeDefined();
    faults.end();
    expect(faults.strikes('kill', 'a')).toBeUndefined();
  });
});

describe('Shrinking', () => {
  it('drops every fault that a failure does not need', async () => {
    const faults = Array.from({ length: 40 }, (_, index) => `f${index}`);
    const needed = ['f3', 'f17', 'f31'];
    const fails = async (plan: ReadonlySet<string>) => needed.every((each) => plan.has(each));
    expect(await shrink(faults, fails)).toEqual(needed);
    expect(await shrink(faults, async () => true)).toEqual([]);
  });
});

describe('A seed', () => {
  it('has the same history whenever it is run', async () => {
    for (const mode of ['safety', 'liveness'] as const) {
      const [first, second] = [
        await runSeed('11', { mode, traces: true }),
        await runSeed('11', { mode, traces: true }),
      ];
      expect(second.history).toEqual(first.history);
      expect(second.faults).toEqual(first.faults);
      expect(first.faults.length).toBeGreaterThan(10);
    }
  });

  it('with its own faults as the plan has the same history', async () => {
    const drawn = await runSeed('12', { mode: 'safety', traces: true });
    const plan = new Set(drawn.faults);
    const planned = await runSeed('12', { mode: 'safety', plan, traces: true });
    expect(planned.history).toEqual(drawn.history);
  });

  it('that fails says so again within a second of CPU time, and shrinks to the faults that it takes', async () => {
    const { rules, mode } = MUTANTS['has no fence']!;
    let seed = 1;
    let failed = await runSeed('1', { mode, rules });
    while (!failed.violation) failed = await runSeed(String((seed += 1)), { mode, rules });
    const before = process.cpuUsage();
    const again = await runSeed(String(seed), { mode, rules });
    const { user, system } = process.cpuUsage(before);
    expect((user + system) / 1e6).toBeLessThan(1);
    expect(again.violation?.message).toBe(failed.violation.message);
    const least = await shrink(failed.faults, async (plan) => {
      const { violation } = await runSeed(String(seed), { mode, rules, plan });
      return violation?.invariant === failed.violation?.invariant;
    });
    expect(least.length).toBeLessThan(failed.faults.length / 2);
  });
});
