import type { ConsumerSpec, StreamSpec } from '#contracts/streams.js';
import type { Chance } from '../kernel/chance.js';
import {
  BrokerError,
  type Broker,
  type ConsumerState,
  type Delivered,
  type Outgoing,
  type Published,
  type StreamState,
} from './broker.js';
import { SimConsumer } from './sim-consumer.js';
import { SimStream } from './sim-stream.js';

/** The broker in memory: it keeps the laws, and loses what the laws don't promise to keep. */
export class SimBroker implements Broker {
  /** Nobody gets an answer. */
  isAway = false;
  private readonly streams = new Map<string, SimStream>();
  private readonly consumers = new Map<string, SimConsumer>();
  private readonly listeners = new Map<string, (() => void)[]>();

  constructor(private readonly now: () => number) {}

  ensureStream(spec: StreamSpec): void {
    this.answer();
    if (!this.streams.has(spec.name)) this.streams.set(spec.name, new SimStream(spec, this.now));
  }

  ensureConsumer(spec: ConsumerSpec): void {
    this.answer();
    const key = consumerKey(spec.stream, spec.durable);
    if (this.consumers.has(key)) return;
    this.consumers.set(key, new SimConsumer(spec, this.stream(spec.stream), this.now));
  }

  publish(message: Outgoing): Published {
    this.answer();
    for (const stream of this.streams.values()) {
      if (!stream.takes(message.subject)) continue;
      const published = stream.publish(message);
      this.wake(stream.spec.name);
      return published;
    }
    throw new BrokerError('no-stream');
  }

  pull(stream: string, durable: string, max: number): Delivered[] {
    return this.consumer(stream, durable).pull(max);
  }

  ack(stream: string, durable: string, sequence: number): void {
    this.consumer(stream, durable).ack(sequence);
  }

  nak(stream: string, durable: string, options: { sequence: number; delayMs: number }): void {
    this.consumer(stream, durable).nak(options.sequence, options.delayMs);
  }

  streamState(name: string): StreamState {
    this.answer();
    return this.stream(name).state();
  }

  consumerState(stream: string, durable: string): ConsumerState {
    return this.consumer(stream, durable).state();
  }

  deleteConsumer(stream: string, durable: string): void {
    this.answer();
    this.stream(stream);
    if (!this.consumers.delete(consumerKey(stream, durable))) throw new BrokerError('no-consumer');
  }

  deleteStream(name: string): void {
    if (!this.streams.has(name)) return;
    this.streams.delete(name);
    for (const key of this.consumers.keys()) {
      if (key.startsWith(`${name} `)) this.consumers.delete(key);
    }
  }

  /** It loses messages that it had acknowledged, anywhere in the stream. */
  forget(name: string, chance: Chance): void {
    this.streams.get(name)?.forget(chance);
  }

  /** It is back where it was at that sequence and uses the later ones again. Consumers stay ahead. */
  rewind(name: string, sequence: number): void {
    this.streams.get(name)?.rewind(sequence);
  }

  /** Consumers that are ahead of their stream are set back, as 2.14 does at its start. */
  healConsumers(): void {
    for (const consumer of this.consumers.values()) consumer.setBack();
  }

  /** A consumer, with all that it knows of what was handed out. */
  forgetConsumer(chance: Chance): void {
    const keys = [...this.consumers.keys()];
    if (keys.length > 0) this.consumers.delete(chance.pick(keys));
  }

  /** Consumers hand out once more what is not acknowledged yet. */
  redeliver(stream: string, durable: string): void {
    this.consumers.get(consumerKey(stream, durable))?.redeliverAll();
  }

  /** When the message with that sequence was stored, if it is there. */
  storedAt(name: string, sequence: number): number | undefined {
    return this.streams.get(name)?.find(sequence)?.storedAt;
  }

  lastSequence(name: string): number {
    return this.streams.get(name)?.state().lastSequence ?? 0;
  }

  /** Told once, when the stream gets its next message or comes back. */
  whenStored(stream: string, listener: () => void): void {
    this.listeners.set(stream, [...(this.listeners.get(stream) ?? []), listener]);
  }

  /** Until a consumer has something to hand out again. */
  dueInMs(stream: string, durable: string): number {
    return this.consumers.get(consumerKey(stream, durable))?.dueInMs() ?? Infinity;
  }

  /** The streams that are there. */
  get names(): string[] {
    return [...this.streams.keys()];
  }

  private wake(stream: string): void {
    const listeners = this.listeners.get(stream) ?? [];
    this.listeners.delete(stream);
    for (const listener of listeners) listener();
  }

  private stream(name: string): SimStream {
    const stream = this.streams.get(name);
    if (!stream) throw new BrokerError('no-stream');
    return stream;
  }

  private consumer(stream: string, durable: string): SimConsumer {
    this.answer();
    const consumer = this.consumers.get(consumerKey(stream, durable));
    if (!consumer) throw new BrokerError('no-consumer');
    return consumer;
  }

  private answer(): void {
    if (this.isAway) throw new BrokerError('away');
  }
}

function consumerKey(stream: string, durable: string): string {
  return `${stream} ${durable}`;
}
