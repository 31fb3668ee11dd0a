import { JetStreamApiError, type JsMsg } from '@nats-io/jetstream';
import { cpSync, readdirSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { sleep } from '#kernel/backoff.js';
import { Nats } from '#messaging/connection.js';
import { Topology } from '#messaging/topology.js';
import type { TestNats } from '../../support/nats.js';
import { temporaryFolder } from '../../support/temporary-folder.js';
import { BrokerError, type BrokerErrorCode, type Delivered } from '../parts/broker.js';
import type { BrokerUnderTest } from './describe-broker.js';

const CODES: Readonly<Record<number, BrokerErrorCode>> = {
  10059: 'no-stream',
  10014: 'no-consumer',
  10077: 'subject-taken',
};
/** The shortest that the client lets a pull wait. */
const PULL_MS = 1_000;

/** nats-server behind the contract suite, with the streams and consumers that the services make. */
export function natsBroker(nats: Nats, store: NatsStore): BrokerUnderTest {
  const topology = new Topology(nats);
  const out = new Map<string, JsMsg>();
  const key = (stream: string, durable: string, sequence: number) =>
    `${stream} ${durable} ${sequence}`;

  return {
    ensureStream: (spec) => translated(() => topology.ensureStreams([spec])),
    ensureConsumer: (spec) => translated(() => topology.ensureConsumers([spec])),
    publish: ({ subject, payload, id }) =>
      translated(async () => {
        const { seq, duplicate } = await nats.jetstream.publish(subject, payload, { msgID: id });
        return { sequence: seq, duplicate: duplicate === true };
      }),
    pull: (stream, durable, max) =>
      translated(async () => {
        const consumer = await nats.jetstream.consumers.get(stream, durable);
        const batch: Delivered[] = [];
        for await (const message of await consumer.fetch({ max_messages: max, expires: PULL_MS })) {
          out.set(key(stream, durable, message.seq), message);
          const { subject, seq: sequence, info } = message;
          batch.push({
            subject,
            payload: message.string(),
            sequence,
            deliveries: info.deliveryCount,
          });
        }
        return batch;
      }),
    async ack(stream, durable, sequence) {
      await out.get(key(stream, durable, sequence))!.ackAck();
    },
    async nak(stream, durable, sequence) {
      out.get(key(stream, durable, sequence))!.nak();
      await nats.flush();
    },
    streamState: (stream) =>
      translated(async () => {
        const info = await (await nats.manager()).streams.info(stream);
        const { last_seq: lastSequence, messages } = info.state;
        return { created: Date.parse(String(info.created)), lastSequence, messages };
      }),
    consumerState: (stream, durable) =>
      translated(async () => {
        const info = await (await nats.manager()).consumers.info(stream, durable);
        return { ackFloor: info.ack_floor.stream_seq, delivered: info.delivered.stream_seq };
      }),
    deleteConsumer: (stream, durable) =>
      translated(async () => void (await (await nats.manager()).consumers.delete(stream, durable))),
    deleteStream: (stream) =>
      translated(async () => void (await (await nats.manager()).streams.delete(stream))),
    mark: () => store.mark().then(() => answering(nats)),
    goBack: () => store.goBack().then(() => answering(nats)),
    pass: (ms) => sleep(ms),
  };
}

/** Resolves when the client is back and the server has opened its streams. */
async function answering(nats: Nats): Promise<void> {
  for (;;) {
    try {
      await (await nats.manager()).getAccountInfo();
      return;
    } catch {
      // It is still starting; what never starts is ended by the test's limit.
      await sleep(100);
    }
  }
}

async function translated<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const code = codeOf(error);
    if (code) throw new BrokerError(code);
    throw error;
  }
}

function codeOf(error: unknown): BrokerErrorCode | undefined {
  if (error instanceof JetStreamApiError) return CODES[error.code];
  // Nobody took it: no stream has the subject. The client words it as if there were none at all.
  return (error as Error).name === 'JetStreamNotEnabled' ? 'no-stream' : undefined;
}

/** Puts the streams' messages back to an older copy while the server is down; consumers stay. */
export class NatsStore {
  private copy: string | undefined;

  constructor(private readonly server: TestNats) {}

  async mark(): Promise<void> {
    await this.server.kill();
    this.copy = await temporaryFolder();
    for (const folder of this.messageFolders()) {
      cpSync(folder, join(this.copy, folder), { recursive: true });
    }
    await this.server.restart();
  }

  async goBack(): Promise<void> {
    await this.server.kill();
    for (const folder of this.messageFolders()) {
      rmSync(folder, { recursive: true });
      cpSync(join(this.copy!, folder), folder, { recursive: true });
    }
    rmSync(this.copy!, { recursive: true });
    await this.server.restart();
  }

  private messageFolders(): string[] {
    const root = dirname(this.server.logFile);
    return readdirSync(root, { recursive: true, encoding: 'utf8' })
      .filter((path) => path.endsWith('/msgs'))
      .map((path) => join(root, path));
  }
}
