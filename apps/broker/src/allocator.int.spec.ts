import { beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { DataSource, EntityManager } from 'typeorm';
import { storageUnit, type HostHeartbeat, type StorageUnit } from '#contracts/broker.js';
import { FixedClock } from '#kernel/clock.js';
import { UnitOfWork } from '#outbox/unit-of-work.js';
import { useDatabase } from '#service/testing/use-database.js';
import { Allocator } from './allocator.js';
import { brokerConfig, BrokerConfig } from './config.js';
import { ConfigurationChanges } from './configuration-changes.js';
import type { ResourceRequest } from './domain/resource-request.js';
import { brokerSchema } from './persistence/broker-schema.js';
import { Hosts } from './persistence/hosts.js';
import { NOW } from './testing/sample-resources.js';

const HOUR_MS = 3_600_000;

const database = await useDatabase(brokerSchema, 4);

describe('the allocator', () => {
  let allocator: Allocator;
  const clock = new FixedClock(NOW);
  /** Runs once, before the next statement outside of a transaction that has such a text. */
  let between: { text: string; run: () => Promise<void> } | undefined;

  beforeAll(async () => {
    const query = async (text: string, values?: unknown[]): Promise<unknown> => {
      const now = between;
      if (now !== undefined && text.includes(now.text)) {
        between = undefined;
        await now.run();
      }
      return database.query(text, values);
    };
    const watched = { manager: { query } as unknown as EntityManager } as DataSource;
    const config = new BrokerConfig(brokerConfig.parse({}));
    const unitOfWork = new UnitOfWork(database, clock, 'broker');
    allocator = new Allocator(watched, unitOfWork, clock, config);
  });

  const volume = (pool: string, usedPercent: number) => ({
    ...{ pool, path: `/data/${pool}`, freeBytes: 10_000 - 100 * usedPercent, totalBytes: 10_000 },
  });
  const beat = (at: Date, volumes = [volume('main', 50)]) => {
    const media: HostHeartbeat & { role: 'media' } = {
      ...{ role: 'media', id: 'm1', host: 'h', version: '1', volumes },
      address: { host: '127.0.0.1', port: 4_000 },
    };
    return new Hosts(database.manager).mediaSeen(media, at);
  };

  const write = (job: number): ResourceRequest => {
    const who = { job, attempt: 1, client: 'web1', priority: 0 };
    return { purpose: 'write', ...who, unit: 'default' };
  };

  beforeEach(async () => {
    await database.query(
      'TRUNCATE media_server, storage_unit, client, allocation, waiting, outbox',
    );
    await new Hosts(database.manager).agentSeen(
      { role: 'agent', id: 'web1', host: 'h', version: '1' },
      NOW,
    );
    await beat(new Date(NOW.getTime() - HOUR_MS));
    await new ConfigurationChanges(allocator).putUnit(
      storageUnit.parse({ name: 'default', mediaId: 'm1', pool: 'main' }),
    );
  });

  it('answers who asks again at the very moment in which it is granted what it waits for', async () => {
    expect(await allocator.allocate(write(1))).toMatchObject({ wait: 'media-down' });
    await beat(NOW);
    // The server is back; who asks sees that, and then no longer finds itself in the queue.
    between = { text: 'AS eligible', run: () => allocator.evaluate() };
    expect(await allocator.allocate(write(1))).toMatchObject({ state: 'granted' });
    expect(between).toBeUndefined();
  });

  describe('a unit that is full', () => {
    const put = (options: Partial<StorageUnit>) =>
      new ConfigurationChanges(allocator).putUnit(
        storageUnit.parse({ name: 'default', mediaId: 'm1', pool: 'main', ...options }),
      );

    beforeEach(async () => {
      await beat(NOW, [volume('main', 99), volume('spare', 90)]);
      await allocator.evaluate();
      expect(await allocator.allocate(write(1))).toMatchObject({ wait: 'unit-full' });
      await database.query('TRUNCATE outbox');
    });

    const said = async () => {
      const rows: { payload: string }[] = await database.query(
        `SELECT payload FROM outbox WHERE subject LIKE 'hf.evt.v1.unit.full.%' ORDER BY id`,
      );
      return rows.map(({ payload }) => (JSON.parse(payload) as { data: object }).data);
    };
    const isGranted = async () => (await allocator.allocate(write(1))).state === 'granted';

    it('is so no longer when it gets a volume that has not reached the mark', async () => {
      await put({ pool: 'spare' });
      expect(await said()).toEqual([{ unit: 'default', mediaId: 'm1', full: false }]);
      expect(await isGranted()).toBe(true);
    });

    it('is so no longer when its mark is put above what is used', async () => {
      await put({ highWaterPercent: 100 });
      expect(await said()).toEqual([{ unit: 'default', mediaId: 'm1', full: false }]);
      expect(await isGranted()).toBe(true);
    });

    it('stays so when something else of it is changed, or the new mark is reached, too', async () => {
      await beat(NOW, [volume('main', 90)]);
      await put({ jobsMax: 7 });
      await put({ highWaterPercent: 85 });
      expect(await said()).toEqual([]);
      expect(await isGranted()).toBe(false);
    });
  });
});
