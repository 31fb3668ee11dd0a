import type { ConsumerSpec } from '#contracts/streams.js';
import type { ConsumerState, Delivered } from './broker.js';
import type { SimStream, StoredMessage } from './sim-stream.js';
import { subjectMatches } from './subject-match.js';

interface Out {
  /** When it is handed out again. */
  dueAt: number;
  deliveries: number;
}

/** One durable consumer of the simulated broker: a row of sequences, which it does not check. */
export class SimConsumer {
  private delivered: number;
  private readonly out = new Map<number, Out>();

  constructor(
    private readonly spec: ConsumerSpec,
    private readonly stream: SimStream,
    private readonly now: () => number,
  ) {
    this.delivered = spec.from === 'new' ? stream.state().lastSequence : 0;
  }

  pull(max: number): Delivered[] {
    const batch = this.overdue(max);
    for (const message of this.stream.behind(this.delivered)) {
      if (batch.length >= max || this.out.size >= this.spec.unackedMax) break;
      this.delivered = message.sequence;
      if (!subjectMatches(this.spec.filter, message.subject)) continue;
      batch.push(this.handOut(message, 1));
    }
    return batch;
  }

  ack(sequence: number): void {
    this.out.delete(sequence);
  }

  nak(sequence: number, delayMs: number): void {
    const out = this.out.get(sequence);
    if (out) out.dueAt = this.now() + delayMs;
  }

  state(): ConsumerState {
    const { delivered } = this;
    const first = Math.min(...this.out.keys());
    return { delivered, ackFloor: Math.min(delivered, first - 1) };
  }

  dueInMs(): number {
    const due = Math.min(...[...this.out.values()].map(({ dueAt }) => dueAt));
    return Math.max(0, due - this.now());
  }

  redeliverAll(): void {
    for (const out of this.out.values()) out.dueAt = this.now();
  }

  /** Goes back to where the stream ends now. */
  setBack(): void {
    const { lastSequence } = this.stream.state();
    this.delivered = Math.min(this.delivered, lastSequence);
    for (const sequence of this.out.keys()) if (sequence > lastSequence) this.out.delete(sequence);
  }

  private overdue(max: number): Delivered[] {
    const batch: Delivered[] = [];
    for (const [sequence, { dueAt, deliveries }] of this.out) {
      if (batch.length >= max) break;
      if (dueAt > this.now()) continue;
      const message = this.stream.find(sequence);
      // Replaced or lost meanwhile: nothing is left to hand out.
      if (!message) this.out.delete(sequence);
      else batch.push(this.handOut(message, deliveries + 1));
    }
    return batch;
  }

  private handOut(message: StoredMessage, deliveries: number): Delivered {
    const { subject, payload, sequence } = message;
    this.out.set(sequence, { dueAt: this.now() + this.spec.ackWaitMs, deliveries });
    return { subject, payload, sequence, deliveries };
  }
}
