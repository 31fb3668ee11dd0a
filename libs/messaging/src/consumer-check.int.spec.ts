import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { jetstream, jetstreamManager, type JetStreamManager } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';
import { catalogCommits, commitStream } from '#contracts/streams.js';
import { startNats, type TestNats } from '../../../test/support/nats.js';
import { Nats } from './connection.js';
import { ConsumerCheck } from './consumer-check.js';
import { Topology } from './topology.js';

describe('a consumer that fits its stream', () => {
  let server: TestNats;
  let nats: NatsConnection;
  let messages = 0;

  beforeEach(async () => {
    server = await startNats();
    const login = await Nats.connect({ ...server.login(), clientName: 'topology' });
    await new Topology(login).ensureStreams([commitStream]);
    await new Topology(login).ensureConsumers([catalogCommits]);
    await login.close();
    nats = await server.connect();
  });
  afterEach(() => server.stop());

  /** One message comes and is delivered. */
  async function deliver(): Promise<void> {
    await jetstream(nats).publish(`hf.int.v1.frag.commit.m1.f${(messages += 1)}`, '{}');
    const consumer = await jetstream(nats).consumers.get(commitStream.name, catalogCommits.durable);
    const message = (await consumer.next({ expires: 5_000 }))!;
    await message.ackAck();
  }

  /** The manager, with `act` behind the first answer to whatever it asks. */
  function actingBetween(manager: JetStreamManager, act: () => Promise<void>): JetStreamManager {
    let acted: Promise<void> | undefined;
    const infoOf = <T extends { info: (...names: never[]) => Promise<unknown> }>(api: T): T =>
      Object.assign(Object.create(api) as T, {
        info: async (...names: never[]) => {
          const answer = await api.info(...names);
          await (acted ??= act());
          return answer;
        },
      });
    return Object.assign(Object.create(manager) as JetStreamManager, {
      streams: infoOf(manager.streams),
      consumers: infoOf(manager.consumers),
    });
  }

  it('is left alone while messages come and are delivered between two looks', async () => {
    const manager = await jetstreamManager(nats);
    await deliver();
    const check = new ConsumerCheck(catalogCommits, true);
    expect(await check.look(actingBetween(manager, deliver))).toBeUndefined();
    expect(await check.look(actingBetween(manager, deliver))).toBeUndefined();
    const { delivered } = await manager.consumers.info(commitStream.name, catalogCommits.durable);
    expect(delivered.consumer_seq).toBe(3);
  });
});
