import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { useDatabase } from '#service/testing/use-database.js';
import { claimsBefore } from '../domain/plan/claims.js';
import { Walk } from '../domain/plan/walk.js';
import type { WaitingRequest } from '../domain/resource-request.js';
import { MemoryQueue } from '../testing/memory-queue.js';
import { anyQueue, anyResources } from '../testing/random-resources.js';
import { NOW } from '../testing/sample-resources.js';
import { brokerSchema } from './broker-schema.js';
import { Queue } from './queue.js';

const WINDOW_ROWS = 32;

const database = await useDatabase(brokerSchema, 2);

describe('the queue in the database', () => {
  /** As rows come back: some fields are filled in. */
  const jobs = (requests: readonly WaitingRequest[]) => requests.map(({ job }) => job);

  async function fill(queue: readonly WaitingRequest[]): Promise<Queue> {
    await database.query('TRUNCATE waiting RESTART IDENTITY');
    const stored = new Queue(database.manager);
    for (const at of new Set(queue.map(({ queuedAt }) => queuedAt.getTime()))) {
      const together = queue.filter(({ queuedAt }) => queuedAt.getTime() === at);
      await stored.add(together, new Date(at));
    }
    return stored;
  }

  it('finds what a list in memory finds, for any openings', async () => {
    await fc.assert(
      fc.asyncProperty(anyQueue, anyResources, fc.nat(40), async (queue, all, skip) => {
        const stored = await fill(queue);
        const memory = new MemoryQueue(queue, WINDOW_ROWS);
        const walk = new Walk(all, NOW);
        const open = walk.openings();
        const after = queue[skip];
        for (const from of [undefined, after]) {
          const [here, there] = [await stored.window(open, from), await memory.window(open, from)];
          expect(jobs(here.requests)).toEqual(jobs(there.requests));
          expect(here.isLast).toBe(there.isLast);
        }
        const sound = walk.soundTargets();
        const claimants = await stored.claimants(sound, claimsBefore(NOW));
        expect(jobs(claimants)).toEqual(jobs(await memory.claimants(sound, claimsBefore(NOW))));
      }),
      { numRuns: 40, endOnFailure: true },
    );
  });

  it('gives back what was put in', async () => {
    const [queue] = fc.sample(
      anyQueue.filter(({ length }) => length > 20),
      1,
    );
    await fill(queue!);
    const stored = new Queue(database.manager);
    const everything = new Map(
      ['u1', 'u2', 'u3', 'u4', 'u5', 'g1', 'g2'].map((name) => [name, 99]),
    );
    const { requests } = await stored.window(
      {
        units: everything,
        pools: new Map([
          ['disk', 99],
          ['tape', 99],
        ]),
        serversUp: ['m1', 'm2', 'm3'],
        clientsAtLimit: [],
        policyJobs: new Map(),
        streams: new Map(),
      },
      undefined,
    );
    const known = new Map(queue!.map((request) => [request.job, request]));
    for (const request of requests) expect(request).toEqual(known.get(request.job));
    expect(requests.length).toBeGreaterThan(20);
  });
});
