import type { ConsumerSpec, StreamSpec } from '#contracts/streams.js';

export type BrokerErrorCode = 'no-stream' | 'no-consumer' | 'subject-taken' | 'away';

/** What the broker refuses. `subject-taken`: the stream keeps one message per subject and has one. */
export class BrokerError extends Error {
  override readonly name = 'BrokerError';

  constructor(readonly code: BrokerErrorCode) {
    super(`the broker says: ${code}`);
  }
}

export interface Outgoing {
  readonly subject: string;
  /** JSON text. */
  readonly payload: string;
  /** The same for every repeat. */
  readonly id: string;
}

export interface Published {
  readonly sequence: number;
  /** Its id was seen within the last two minutes: nothing was stored. */
  readonly duplicate: boolean;
}

export interface Delivered {
  readonly subject: string;
  readonly payload: string;
  readonly sequence: number;
  /** How often it was delivered, this time included. */
  readonly deliveries: number;
}

export interface StreamState {
  readonly created: number;
  readonly lastSequence: number;
  readonly messages: number;
}

export interface ConsumerState {
  /** Everything up to this sequence is acknowledged. */
  readonly ackFloor: number;
  /** The last sequence that was handed out. */
  readonly delivered: number;
}

/**
 * The broker. What its stream and consumer settings mean, for the simulated one and nats-server
 * (`contracts/describe-broker.ts`):
 *
 * - `publish` stores a message under the next sequence of the stream that has its subject. A repeat of
 *   its id within two minutes stores nothing and says so. A stream that takes one message per subject
 *   refuses a second one if it discards new ones, and replaces the first if it discards old ones.
 * - `pull` hands out what the consumer's filter matches, in order, each once; again after `nak`, or when
 *   it was not acknowledged in time; never after `ack`. No more than `unackedMax` are out at a time.
 * - An acknowledgement of an older delivery counts too: it fences nothing.
 * - A consumer remembers sequences, not messages: where the stream has lost its end and uses sequences
 *   again, it may never hand out what is stored under those that it has passed. Made anew it does.
 */
export interface Broker {
  /** Makes it where it is missing. */
  ensureStream(spec: StreamSpec): void;
  ensureConsumer(spec: ConsumerSpec): void;
  publish(message: Outgoing): Published;
  pull(stream: string, durable: string, max: number): Delivered[];
  /** Acknowledging what is not out is nothing. */
  ack(stream: string, durable: string, sequence: number): void;
  nak(stream: string, durable: string, options: { sequence: number; delayMs: number }): void;
  streamState(stream: string): StreamState;
  consumerState(stream: string, durable: string): ConsumerState;
  deleteConsumer(stream: string, durable: string): void;
  /** With its consumers. */
  deleteStream(stream: string): void;
}
