import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { natsUsers } from '#contracts/permissions.js';
import { catalogCommits, CONSUMERS, mediaTasks, STREAMS } from '#contracts/streams.js';
import { Unavailable } from '#kernel/errors.js';
import { sleep } from '#kernel/backoff.js';
import { startNats, type TestNats } from '../../../test/support/nats.js';
import { TcpProxy } from '../../../test/support/tcp-proxy.js';
import { until } from '../../../test/support/until.js';
import { BatchConsumer, type Delivery } from './batch-consumer.js';
import { Nats } from './connection.js';
import { Publisher } from './publisher.js';
import { ensureOwnConsumer, Topology } from './topology.js';

describe('messages between services', () => {
  let server: TestNats;
  const connected: Nats[] = [];
  const as = async (user: string) => {
    const nats = await Nats.connect({ ...server.login(user), clientName: user });
    connected.push(nats);
    return nats;
  };
  const commit = (n: number) => ({
    subject: `hf.int.v1.frag.commit.m1.f${n}`,
    payload: { n },
    id: `commit-${n}`,
    contentType: 'application/json',
  });

  beforeAll(async () => {
    Logger.overrideLogger(false);
    server = await startNats({ users: natsUsers({ media: ['m1', 'm2'], clients: ['web1'] }) });
    const topology = new Topology(await as('topology'));
    await topology.ensureStreams(STREAMS);
    await topology.ensureConsumers(CONSUMERS);
  });

  afterAll(async () => {
    await Promise.all(connected.map((nats) => nats.close()));
    await server.stop();
    Logger.overrideLogger(['error', 'warn', 'log']);
  });

  it('come in batches, are acknowledged together, and again when the batch fails', async () => {
    const publisher = new Publisher(await as('media-m1'));
    await Promise.all([1, 2, 3, 4, 5].map((n) => publisher.publish(commit(n))));
    const batches: (readonly Delivery[])[] = [];
    const consumer = new BatchConsumer(await as('catalog'), {
      spec: catalogCommits,
      // All five, however long they are on their way.
      batchMax: 5,
      lingerMs: 60_000,
      handle: async (batch) => {
        batches.push(batch);
        if (batches.length === 1) throw new Unavailable('the database is away');
      },
    });
    consumer.start();
    await until(() => batches.length >= 2);
    await consumer.stop();
    expect(batches[0]).toHaveLength(5);
    expect(batches[1]).toHaveLength(5);
    expect(batches[1]?.every(({ deliveries }) => deliveries === 2)).toBe(true);
    expect(batches[1]?.map(({ messageId }) => messageId).sort()).toContain('commit-1');
  });

  it('can be left at any moment of the start', async () => {
    const nats = await as('catalog');
    for (let ms = 0; ms < 12; ms += 1) {
      const handle = () => Promise.resolve();
      const options = { spec: catalogCommits, batchMax: 256, lingerMs: 20, handle };
      const consumer = new BatchConsumer(nats, options);
      consumer.start();
      await new Promise((resolve) => setTimeout(resolve, ms / 3));
      const inTime = new AbortController();
      const late = sleep(5_000, inTime.signal).then(() => 'late');
      expect(await Promise.race([consumer.stop(), late])).toBeUndefined();
      inTime.abort();
    }
  });

  it('that the stream has already are taken for published', async () => {
    const publisher = new Publisher(await as('media-m1'));
    await publisher.publish({ ...commit(1), id: 'another-id' });
  });

  it('are given up at once when the connection breaks, and go out when it is back', async () => {
    const link = await TcpProxy.start({ port: server.port });
    const url = `nats://127.0.0.1:${link.port}`;
    const nats = await Nats.connect({ ...server.login('media-m1'), url, clientName: 'far' });
    connected.push(nats);
    const publisher = new Publisher(nats);
    link.freeze();
    const waiting = publisher.publish(commit(50));
    const begun = performance.now();
    link.cut();
    await expect(waiting).rejects.toBeInstanceOf(Unavailable);
    await expect(publisher.publish(commit(50))).rejects.toBeInstanceOf(Unavailable);
    // A publish waits five seconds for its acknowledgement, but not for one that cannot come.
    expect(performance.now() - begun).toBeLessThan(4_000);
    link.thaw();
    link.restore();
    await until(() => nats.connected);
    await publisher.publish(commit(50));
    await nats.close();
    await link.stop();
  });

  it('are refused where the user has no right to them', async () => {
    const forged = new Publisher(await as('media-m2'));
    await expect(forged.publish(commit(99))).rejects.toBeInstanceOf(Unavailable);
  });

  it('reach a media server through a consumer that it makes itself, but no other', async () => {
    const media = await as('media-m2');
    await ensureOwnConsumer(media, mediaTasks('m2'));
    await ensureOwnConsumer(media, mediaTasks('m2'));
    await expect(ensureOwnConsumer(media, mediaTasks('m1'))).rejects.toThrow();
    await expect(
      ensureOwnConsumer(media, { ...mediaTasks('m2'), filter: 'hf.int.v1.task.>' }),
    ).resolves.toBeUndefined();
  });
});
