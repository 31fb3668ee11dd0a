import { cpSync, readdirSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { DiscardPolicy, jetstreamManager } from '@nats-io/jetstream';
import { nanos } from '@nats-io/transport-node';
import { natsUsers } from '#contracts/permissions.js';
import {
  catalogCommits,
  commitStream,
  CONSUMERS,
  mediaReceipts,
  STREAMS,
  taskStream,
} from '#contracts/streams.js';
import { sleep } from '#kernel/backoff.js';
import { startNats, type TestNats } from '../../../test/support/nats.js';
import { until } from '../../../test/support/until.js';
import { BatchConsumer } from './batch-consumer.js';
import { Nats } from './connection.js';
import { Publisher } from './publisher.js';
import { TopologyKeeper } from './topology-keeper.js';

const ROOT = { name: 'root', permissions: { publish: ['>'], subscribe: ['>'] }, responds: true };

let server: TestNats;
let keeper: TopologyKeeper;
let consumer: BatchConsumer;
let heard: string[];
const connected: Nats[] = [];

async function as(user: string): Promise<Nats> {
  const nats = await Nats.connect({ ...server.login(user), clientName: user });
  connected.push(nats);
  return nats;
}

async function publish(publisher: Publisher, from: number, to: number): Promise<void> {
  for (let n = from; n <= to; n += 1) {
    const subject = `hf.int.v1.frag.commit.m1.f${n}`;
    const message = { subject, payload: { n }, id: `c${n}`, contentType: 'application/json' };
    const isTaken = () =>
      publisher.publish(message).then(
        () => true,
        () => false,
      );
    await until(isTaken, { what: `${subject} to be taken` });
  }
}

async function untilHeard(...names: string[]): Promise<void> {
  const last = (subject: string) => subject.split('.').at(-1)!;
  const isHeard = (subjects: readonly string[]) =>
    names.every((name) => subjects.map(last).includes(name));
  await until(() => heard, { is: isHeard, what: names.join() });
}

describe('a broker that forgets', () => {
  const folder = (...names: string[]) => join(dirname(server.logFile), 'nats', ...names);

  beforeEach(async () => {
    Logger.overrideLogger(false);
    heard = [];
    server = await startNats({ users: [...natsUsers({ media: ['m1'], clients: [] }), ROOT] });
    const options = { streams: STREAMS, consumers: CONSUMERS, everyMs: 300 };
    keeper = new TopologyKeeper(await as('topology'), options);
    await keeper.start();
    consumer = new BatchConsumer(await as('catalog'), {
      ...{ spec: catalogCommits, batchMax: 256, lingerMs: 0 },
      handle: async (batch) => void heard.push(...batch.map(({ subject }) => subject)),
    });
    consumer.start();
  });

  afterEach(async () => {
    await consumer.stop();
    await keeper.stop();
    await Promise.all(connected.splice(0).map((nats) => nats.close()));
    await server.stop();
    Logger.overrideLogger(['error', 'warn', 'log']);
  });

  it('the whole stream gets it back with its consumers, and new messages are heard', async () => {
    const publisher = new Publisher(await as('media-m1'));
    await publish(publisher, 1, 3);
    await untilHeard('f3');
    const root = await jetstreamManager((await as('root')).connection);
    await root.streams.delete(commitStream.name);
    await publish(publisher, 4, 6);
    await untilHeard('f4', 'f6');
  });

  it('streams of an earlier version has them as this one needs them, with what is in them', async () => {
    await keeper.stop();
    const root = await jetstreamManager((await as('root')).connection);
    const older = { discard: DiscardPolicy.New, subjects: ['hf.int.v1.task.media.>'] };
    await root.streams.update(taskStream.name, older);
    await (await as('root')).jetstream.publish('hf.int.v1.task.media.m1.7', 'a task');
    await keeper.start();
    const { config, state } = await root.streams.info(taskStream.name);
    expect([config.discard, config.subjects]).toEqual([DiscardPolicy.Old, ['hf.int.v1.task.>']]);
    expect([config.max_age, state.messages]).toEqual([nanos(taskStream.ageMaxMs), 1]);
  });

  it("another program's stream under a name of ours says so, and leaves it", async () => {
    await keeper.stop();
    const root = await jetstreamManager((await as('root')).connection);
    await root.streams.delete(taskStream.name);
    await root.streams.add({ name: taskStream.name, subjects: ['orders.>'] });
    await expect(keeper.start()).rejects.toThrow(/HF_TASK has other settings .* Another program/);
    expect((await root.streams.info(taskStream.name)).config.subjects).toEqual(['orders.>']);
  });

  it('acknowledged messages, but not how far its consumer was, still delivers the new ones', async () => {
    const publisher = new Publisher(await as('media-m1'));
    await publish(publisher, 1, 5);
    await untilHeard('f5');
    await server.kill();
    cpSync(folder(), `${folder()}-old`, { recursive: true });
    await server.restart();
    await publish(publisher, 6, 20);
    await untilHeard('f20');
    const root = await jetstreamManager((await as('root')).connection);
    const { stream, durable } = catalogCommits;
    await until(async () => (await root.consumers.info(stream, durable)).num_ack_pending === 0);
    // It tells of what it knows; on its disk that is a moment later.
    await sleep(500);
    await server.kill();
    // The messages go back to the fifth; the consumer stays at the twentieth.
    const messages = readdirSync(folder(), { recursive: true, encoding: 'utf8' }).find((path) =>
      path.endsWith(join(commitStream.name, 'msgs')),
    )!;
    rmSync(folder(messages), { recursive: true });
    cpSync(join(`${folder()}-old`, messages), folder(messages), { recursive: true });
    await server.restart();
    heard = [];
    await publish(publisher, 21, 24);
    await untilHeard('f21', 'f24');
  });

  it("a host's own consumer has it made again", async () => {
    const spec = mediaReceipts('m1');
    const nats = await as('media-m1');
    const receipts = new BatchConsumer(nats, {
      ...{ spec, batchMax: 10, lingerMs: 0, own: true },
      handle: async (batch) => void heard.push(...batch.map(({ subject }) => subject)),
    });
    receipts.start();
    const root = await as('root');
    const receipt = (id: string) =>
      new Publisher(root).publish({
        ...{ subject: `hf.int.v1.frag.receipt.m1.${id}`, payload: {}, id },
        contentType: 'application/json',
      });
    await receipt('r1');
    await untilHeard('r1');
    const manager = await jetstreamManager(root.connection);
    await manager.consumers.delete(spec.stream, spec.durable);
    await receipt('r2');
    await untilHeard('r2');
    await receipts.stop();
  });
});
