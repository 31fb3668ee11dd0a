import type { StreamSpec } from '#contracts/streams.js';
import type { Chance } from '../kernel/chance.js';
import { BrokerError, type Outgoing, type Published, type StreamState } from './broker.js';
import { subjectMatches } from './subject-match.js';

export interface StoredMessage extends Outgoing {
  readonly sequence: number;
  readonly storedAt: number;
}

/** A message that is no longer there, and which sequence took its place. */
interface Replaced {
  readonly message: StoredMessage;
  readonly by: number;
}

const DUPLICATE_WINDOW_MS = 120_000;
/** Messages of a stream of which a `forget` loses each one. */
const FORGOTTEN_SHARE = 0.3;

/** One stream of the simulated broker. */
export class SimStream {
  readonly created: number;
  private readonly messages = new Map<number, StoredMessage>();
  private replaced: Replaced[] = [];
  private readonly recent = new Map<string, { at: number; sequence: number }>();
  private lastSequence = 0;

  constructor(
    readonly spec: StreamSpec,
    private readonly now: () => number,
  ) {
    this.created = now();
  }

  takes(subject: string): boolean {
    return this.spec.subjects.some((pattern) => subjectMatches(pattern, subject));
  }

  publish(message: Outgoing): Published {
    const seen = this.recent.get(message.id);
    if (seen && this.now() - seen.at < DUPLICATE_WINDOW_MS) {
      return { sequence: seen.sequence, duplicate: true };
    }
    const sequence = this.lastSequence + 1;
    if (this.spec.perSubjectMax === 1) this.makeRoom(message.subject, sequence);
    const { subject, payload, id } = message;
    this.messages.set(sequence, { subject, payload, id, sequence, storedAt: this.now() });
    this.lastSequence = sequence;
    this.recent.set(id, { at: this.now(), sequence });
    return { sequence, duplicate: false };
  }

  find(sequence: number): StoredMessage | undefined {
    return this.messages.get(sequence);
  }

  /** Sequences that are stored behind `sequence`, ascending. */
  *behind(sequence: number): Iterable<StoredMessage> {
    for (let next = sequence + 1; next <= this.lastSequence; next += 1) {
      const message = this.messages.get(next);
      if (message) yield message;
    }
  }

  state(): StreamState {
    const { created, lastSequence } = this;
    return { created, lastSequence, messages: this.messages.size };
  }

  forget(chance: Chance): void {
    const keepsIds = chance.happens(0.5);
    for (const [sequence, { id }] of this.messages) {
      if (!chance.happens(FORGOTTEN_SHARE)) continue;
      this.messages.delete(sequence);
      if (!keepsIds) this.recent.delete(id);
    }
  }

  /** What it held when `sequence` was its last one. */
  rewind(sequence: number): void {
    for (const { message, by } of this.replaced) {
      if (by > sequence && message.sequence <= sequence) {
        this.messages.set(message.sequence, message);
      }
    }
    this.replaced = this.replaced.filter(({ by }) => by <= sequence);
    for (const number of [...this.messages.keys()]) {
      if (number > sequence) this.messages.delete(number);
    }
    for (const [id, seen] of this.recent) if (seen.sequence > sequence) this.recent.delete(id);
    this.lastSequence = sequence;
  }

  private makeRoom(subject: string, by: number): void {
    for (const [sequence, message] of this.messages) {
      if (message.subject !== subject) continue;
      if (this.spec.discardNewPerSubject) throw new BrokerError('subject-taken');
      this.messages.delete(sequence);
      this.replaced.push({ message, by });
    }
  }
}
