import {
  AckPolicy,
  DeliverPolicy,
  DiscardPolicy,
  JetStreamApiError,
  RetentionPolicy,
  StorageType,
  type ConsumerConfig,
  type ConsumerInfo,
  type JetStreamManager,
  type StreamConfig,
  type StreamInfo,
} from '@nats-io/jetstream';
import { nanos } from '@nats-io/transport-node';
import { Logger } from '@nestjs/common';
import type { ConsumerSpec, StreamSpec } from '#contracts/streams.js';
import { PermanentError } from '#kernel/errors.js';
import { STATUS } from '#kernel/status.js';
import type { Nats } from './connection.js';

const STREAM_NOT_FOUND = 10059;
const CONSUMER_NOT_FOUND = 10014;

/**
 * Makes streams and consumers that are missing. Never deletes a stream, and changes no more of one than
 * what an earlier version of Holdfast made otherwise and what loses no message: `CHANGEABLE`.
 */
export class Topology {
  private readonly logger = new Logger('topology');

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
    const { config } =
      (await findStream(manager, spec.name)) ?? (await manager.streams.add(wanted));
    const isOurs = config.subjects.every((subject) => subject.startsWith('hf.'));
    const wrong = differences(wanted, config, isOurs ? GUARDED : [...GUARDED, ...CHANGEABLE]);
    if (wrong.length > 0) {
      throw new PermanentError(
        STATUS.systemError,
        `Stream ${spec.name} has other settings than Holdfast needs (${wrong.join('; ')}). ` +
          'Another program may own it; give Holdfast an account of its own.',
      );
    }
    const older = differences(wanted, config, CHANGEABLE);
    if (older.length === 0) return;
    const { discard, subjects } = wanted;
    await manager.streams.update(spec.name, { discard, subjects });
    this.logger.log(
      `Stream ${spec.name} had older settings (${older.join('; ')}); it has this version's now.`,
    );
  }
}

/** Makes a host's own consumer with just the rights that such a host has. */
export async function ensureOwnConsumer(nats: Nats, spec: ConsumerSpec): Promise<void> {
  await ensureConsumer(await nats.manager(), spec);
}

async function ensureConsumer(manager: JetStreamManager, spec: ConsumerSpec): Promise<void> {
  if (!(await findConsumer(manager, spec))) await addConsumer(manager, spec);
}

export function findStream(
  manager: JetStreamManager,
  name: string,
): Promise<StreamInfo | undefined> {
  return orMissing(manager.streams.info(name), STREAM_NOT_FOUND);
}

export function findConsumer(
  manager: JetStreamManager,
  { stream, durable }: ConsumerSpec,
): Promise<ConsumerInfo | undefined> {
  return orMissing(manager.consumers.info(stream, durable), CONSUMER_NOT_FOUND);
}

export async function addConsumer(manager: JetStreamManager, spec: ConsumerSpec): Promise<void> {
  await manager.consumers.add(spec.stream, consumerConfig(spec));
}

export async function removeConsumer(
  manager: JetStreamManager,
  { stream, durable }: ConsumerSpec,
): Promise<void> {
  await orMissing(manager.consumers.delete(stream, durable), CONSUMER_NOT_FOUND);
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
  'discard_new_per_subject',
  'max_msgs_per_subject',
  'deny_delete',
] as const;
/** What is stored stays, whatever it changes from. */
const CHANGEABLE = ['discard', 'subjects'] as const;

function differences(
  wanted: StreamConfig,
  found: StreamConfig,
  keys: readonly (keyof StreamConfig)[],
): string[] {
  const textOf = (config: StreamConfig, key: keyof StreamConfig) => String(config[key]);
  return keys
    .filter((key) => wanted[key] !== undefined && textOf(wanted, key) !== textOf(found, key))
    .map((key) => `${key} is ${textOf(found, key)}, not ${textOf(wanted, key)}`);
}
