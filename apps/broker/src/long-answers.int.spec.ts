import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { RunningBroker } from './testing/running-broker.js';

/** Each answer is one message, which has its limit (`max_payload`, 1 MB). */
describe('answers about much', () => {
  let broker: RunningBroker;
  const LONG = 'x'.repeat(50);

  beforeAll(async () => {
    broker = await RunningBroker.start({ replicas: 1, leaseSeconds: 600 });
    await broker.mediaBeat('m1');
    await broker.inDatabase(
      `INSERT INTO broker.storage_unit (name, media_id, pool, jobs_max, fragment_bytes_max, drained)
       SELECT $1 || n, 'm1', 'main', 1, 1000, true FROM generate_series(100, 199) AS n`,
      [LONG],
    );
    await broker.inDatabase(
      `INSERT INTO broker.unit_group
       SELECT 'any', array_agg(name), 'prioritized' FROM broker.storage_unit WHERE name <> $1`,
      ['default'],
    );
    await broker.inDatabase(
      `INSERT INTO broker.waiting (job, attempt, purpose, client, unit, priority, policy)
       SELECT n, 1, 'write', $1, 'any', 0, $1 FROM generate_series(1, 2500) AS n`,
      [LONG],
    );
    await broker.inDatabase(
      `INSERT INTO broker.allocation
         (allocation_id, job, attempt, purpose, client, media, granted_at, lease_until)
       SELECT gen_random_uuid(), n, 1, 'read', $1, array_fill('m1'::text, ARRAY[20]), now(),
         now() + interval '1 day' FROM generate_series(10001, 11500) AS n`,
      [LONG],
    );
    await broker.inDatabase(
      `INSERT INTO broker.client SELECT $1 || n, $1, '0.1.0', now() FROM generate_series(1, 9500) AS n`,
      [LONG],
    );
  });

  afterAll(() => broker?.stop());

  it('come in pages that fit, until all is told', async () => {
    const jobs: number[] = [];
    for (let after: unknown, pages = 0; pages < 50; pages += 1) {
      const { body, error } = await broker.ask('queue', {
        limit: 1_000,
        ...(after ? { after } : {}),
      });
      expect(error).toBeUndefined();
      jobs.push(...(body['entries'] as { job: number }[]).map(({ job }) => job));
      after = body['next'];
      if (after === null) break;
    }
    expect(jobs).toEqual(Array.from({ length: 2_500 }, (_, n) => n + 1));
  });

  it('say where they are cut', async () => {
    const { body, error } = await broker.ask('allocations', {});
    expect(error).toBeUndefined();
    expect(body).toMatchObject({ isCut: true, queued: 2_500 });
    expect((body['allocations'] as unknown[]).length).toBeGreaterThan(100);
  });

  it('tell of all clients', async () => {
    const names: string[] = [];
    for (let after: unknown, pages = 0; pages < 50; pages += 1) {
      const { body, error } = await broker.ask('clients', after ? { after } : {});
      expect(error).toBeUndefined();
      names.push(...(body['clients'] as { client: string }[]).map(({ client }) => client));
      after = body['next'];
      if (after === null) break;
    }
    expect(new Set(names).size).toBe(9_500);
    expect(names).toHaveLength(9_500);
  });
});
