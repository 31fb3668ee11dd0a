import {
  AckPolicy,
  DeliverPolicy,
  DiscardPolicy,
  JetStreamApiError,
  RetentionPolicy,
  StorageType,
  type ConsumerConfig,
  type JetStreamManager,
  type StreamConfig,
} from '@nats-io/jetstream';
import { nanos } from '@nats-io/transport-node';
import type { ConsumerSpec, StreamSpec } from '#contracts/streams.js';
import { PermanentError } from '#kernel/errors.js';
import type { Nats } from './connection.js';

const STREAM_NOT_FOUND = 10059;
const CONSUMER_NOT_FOUND = 10014;

/** Makes streams and consumers that are missing. Never deletes one, never changes one. */
export class Topology {
  constructor(
    private readonly nats: Nats,
    private readonly replicas = 1,
  ) {}

  /** Throws `PermanentError` when a stream stands with settings that would break the protocol. */
  async ensureStreams(streams: readonly StreamSpec[]): Promise<void> {
    const manager = await this.nats.manager();
    for (const spec of streams) await this.ensureStream(manager, spec);
  }

  async ensureConsumers(consumers: readonly ConsumerSpec[]): Promise<void> {
    const manager = await this.nats.manager();
    for (const spec of consumers) await ensureConsumer(manager, spec);
  }

  private async ensureStream(manager: JetStreamManager, spec: StreamSpec): Promise<void> {
    const wanted = streamConfig(spec, this.replicas);
    const found = await orMissing(manager.streams.info(spec.name), STREAM_NOT_FOUND);
    const config = (found ?? (await manager.streams.add(wanted))).config;
    const wrong = differences(wanted, config);
    if (wrong.length > 0) {
      throw new PermanentError(
        130,
        `Stream ${spec.name} has other settings than Holdfast needs (${wrong.join('; ')}). ` +
          'Another program may own it; give Holdfast an account of its own.',
      );
    }
  }
}

/** Makes a host's own consumer with just the rights that such a host has. */
export async function ensureOwnConsumer(nats: Nats, spec: ConsumerSpec): Promise<void> {
  await ensureConsumer(await nats.manager(), spec);
}

async function ensureConsumer(manager: JetStreamManager, spec: ConsumerSpec): Promise<void> {
  const info = manager.consumers.info(spec.stream, spec.durable);
  if (await orMissing(info, CONSUMER_NOT_FOUND)) return;
  await manager.consumers.add(spec.stream, consumerConfig(spec));
}

async function orMissing<T>(found: Promise<T>, code: number): Promise<T | undefined> {
  try {
    return await found;
  } catch (error) {
    if (error instanceof JetStreamApiError && error.code === code) return undefined;
    throw error;
  }
}

function streamConfig(spec: StreamSpec, replicas: number): StreamConfig {
  return {
    name: spec.name,
    description: spec.description,
    subjects: [...spec.subjects],
    storage: StorageType.File,
    retention: RetentionPolicy.Limits,
    discard: spec.discard === 'new' ? DiscardPolicy.New : DiscardPolicy.Old,
    ...(spec.discardNewPerSubject ? { discard_new_per_subject: true } : {}),
    ...(spec.perSubjectMax ? { max_msgs_per_subject: spec.perSubjectMax } : {}),
    max_age: nanos(spec.ageMaxMs),
    max_bytes: spec.bytesMax,
    max_msg_size: spec.messageBytesMax,
    deny_delete: spec.denyDeletion,
    deny_purge: spec.denyDeletion,
    num_replicas: replicas,
  } as StreamConfig;
}

function consumerConfig(spec: ConsumerSpec): Partial<ConsumerConfig> {
  return {
    durable_name: spec.durable,
    name: spec.durable,
    filter_subject: spec.filter,
    ack_policy: AckPolicy.Explicit,
    deliver_policy: spec.from === 'new' ? DeliverPolicy.New : DeliverPolicy.All,
    ack_wait: nanos(spec.ackWaitMs),
    max_ack_pending: spec.unackedMax,
    max_deliver: -1,
  };
}

/** Settings whose change would lose or drop messages; sizes and ages may be an administrator's. */
const GUARDED = [
  'storage',
  'retention',
  'discard',
  'discard_new_per_subject',
  'max_msgs_per_subject',
  'deny_delete',
] as const;

function differences(wanted: StreamConfig, found: StreamConfig): string[] {
  return GUARDED.filter((key) => wanted[key] !== undefined && wanted[key] !== found[key]).map(
    (key) => `${key} is ${String(found[key])}, not ${String(wanted[key])}`,
  );
}
