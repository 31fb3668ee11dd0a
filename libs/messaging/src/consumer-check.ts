import type { ConsumerInfo, JetStreamManager, StreamInfo } from '@nats-io/jetstream';
import type { ConsumerSpec } from '#contracts/streams.js';
import { addConsumer, findConsumer, findStream, removeConsumer } from './topology.js';

/** What was seen of a stream: enough to notice, later, that it is another one or has gone back. */
interface Witness {
  readonly created: string;
  readonly lastSequence: number;
  /** When the message with that number was stored. */
  readonly lastTime: string;
}

/**
 * Looks whether a durable consumer still fits its stream, and makes it anew, from the start, where it
 * does not. A broker that lost what it had acknowledged may keep a consumer that stands behind the
 * stream's end: it then takes new messages under used numbers, acknowledges them and delivers none
 * (measured with nats-server 2.9 and 2.10). Everything behind a consumer of ours is idempotent, so a
 * replay costs time only. Every look is one or two requests.
 */
export class ConsumerCheck {
  private witness: Witness | undefined;

  constructor(
    private readonly spec: ConsumerSpec,
    /** Whether this user may read single messages: then reused numbers show, too. */
    private readonly mayReadMessages: boolean,
  ) {}

  /** Returns what was mended, in words; undefined where all is well. Throws where the stream is gone. */
  async look(manager: JetStreamManager): Promise<string | undefined> {
    // In this order: what comes and is delivered in between makes the stream longer than the consumer knows.
    const consumer = await findConsumer(manager, this.spec);
    const stream = await findStream(manager, this.spec.stream);
    if (!stream) throw new Error(`stream ${this.spec.stream} is gone`);
    const fault = consumer ? await this.fault(manager, stream, consumer) : 'it was gone';
    if (fault !== undefined) {
      if (consumer) await removeConsumer(manager, this.spec);
      await addConsumer(manager, this.spec);
    }
    this.remember(stream);
    return fault;
  }

  private async fault(
    manager: JetStreamManager,
    { created, state }: StreamInfo,
    { delivered, ack_floor }: ConsumerInfo,
  ): Promise<string | undefined> {
    const reached = Math.max(delivered.stream_seq, ack_floor.stream_seq);
    if (reached > state.last_seq) {
      return `it stood at ${reached}, behind the stream's end at ${state.last_seq}`;
    }
    const before = this.witness;
    if (!before) return undefined;
    if (created !== before.created) return 'the stream was made anew';
    if (state.last_seq < before.lastSequence) {
      return `the stream went back from ${before.lastSequence} to ${state.last_seq}`;
    }
    return (await this.isRewritten(manager, before)) ? 'the stream went back and on' : undefined;
  }

  /** The number that was the last one then stands for another message now. */
  private async isRewritten(manager: JetStreamManager, before: Witness): Promise<boolean> {
    if (!this.mayReadMessages || before.lastSequence === 0) return false;
    const message = await manager.streams.getMessage(this.spec.stream, {
      seq: before.lastSequence,
    });
    return message !== null && message.timestamp !== before.lastTime;
  }

  private remember({ created, state }: StreamInfo): void {
    this.witness = { created, lastSequence: state.last_seq, lastTime: state.last_ts };
  }
}
