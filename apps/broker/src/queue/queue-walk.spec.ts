import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { plan } from '../domain/plan/plan.js';
import { Walk } from '../domain/plan/walk.js';
import { MemoryQueue } from '../testing/memory-queue.js';
import { anyQueue, anyResources } from '../testing/random-resources.js';
import { NOW, resources, server, unit, write } from '../testing/sample-resources.js';
import { walkQueue } from './queue-walk.js';

describe('a walk through the queue', () => {
  it('grants what a plan of the whole queue grants, however little it reads at a time', async () => {
    const rows = fc.integer({ min: 1, max: 8 });
    await fc.assert(
      fc.asyncProperty(anyQueue, anyResources, rows, async (queue, all, windowRows) => {
        const walk = new Walk(all, NOW);
        await walkQueue(walk, new MemoryQueue(queue, windowRows), { now: NOW });
        const whole = plan(queue, all, NOW);
        expect(walk.grants).toEqual(whole.grants);
        expect([...whole.waits]).toEqual(expect.arrayContaining(walk.waits));
      }),
      { numRuns: 300 },
    );
  });

  it('gives a request that comes now its place behind those of its priority', async () => {
    await fc.assert(
      fc.asyncProperty(anyQueue, anyResources, async (queue, all) => {
        fc.pre(queue.length > 0);
        const last = queue.at(-1)!;
        const asking = { ...last, arrival: Number.MAX_SAFE_INTEGER };
        const walk = new Walk(all, NOW);
        const others = new MemoryQueue(queue.slice(0, -1), 3);
        await walkQueue(walk, others, { now: NOW, asking: [asking] });
        const jobs = (grants: readonly { job: number; place: unknown }[]) =>
          grants.map(({ job, place }) => ({ job, place }));
        const whole = plan([...queue.slice(0, -1), { ...asking, queuedAt: NOW }], all, NOW);
        expect(jobs(walk.grants)).toEqual(jobs(whole.grants));
      }),
      { numRuns: 200 },
    );
  });

  it('leaves something in the way of each who was left out, by what is left in the end', async () => {
    await fc.assert(
      fc.asyncProperty(anyQueue, anyResources, async (queue, all) => {
        const walk = new Walk(all, NOW);
        await walkQueue(walk, new MemoryQueue(queue, 4), { now: NOW });
        for (const { request } of plan(queue, all, NOW).waits) {
          expect(walk.obstacleTo(request)).toBeDefined();
        }
      }),
    );
  });

  it('reads next to nothing of a long queue for what is busy or limited', async () => {
    const all = resources(
      [server('m1')],
      [unit('busy', { jobsMax: 1, jobsActive: 1 }), unit('free', { jobsMax: 2, jobsActive: 1 })],
      { clientJobs: new Map([['greedy', 1]]), clientLimits: new Map([['greedy', 1]]) },
    );
    const queue = Array.from({ length: 3_000 }, (_, index) =>
      write(index + 1, index % 2 === 0 ? 'busy' : 'free', {
        client: index < 2_000 ? 'greedy' : 'c',
      }),
    );
    const memory = new MemoryQueue(queue, 32);
    const walk = new Walk(all, NOW);
    await walkQueue(walk, memory, { now: NOW });
    expect(walk.grants.map(({ job }) => job)).toEqual([2_002]);
    expect(memory.seen).toBe(32);
  });
});
