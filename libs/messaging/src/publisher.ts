import { headers, type MsgHdrs } from '@nats-io/transport-node';
import { JetStreamApiError, JetStreamError } from '@nats-io/jetstream';
import { messageOf, Unavailable } from '#kernel/errors.js';
import { STATUS } from '#kernel/status.js';
import type { Nats } from './connection.js';

/** JSON that is text already. */
export class JsonText {
  constructor(readonly text: string) {}
}

export interface Outgoing {
  readonly subject: string;
  /** Becomes JSON, but for `JsonText`. */
  readonly payload: unknown;
  /** The same for every repeat of this message. */
  readonly id: string;
  readonly contentType: string;
}

const ACK_MS_MAX = 5_000;

/** The stream stored nothing, for a reason that stands in words: this one. It has this very message already. */
const NOT_STORED = 10077;
const PER_SUBJECT_LIMIT = 'maximum messages per subject exceeded';

/** Publishes to JetStream and waits for the acknowledgement, which is no proof of durability. */
export class Publisher {
  constructor(private readonly nats: Nats) {}

  /** Throws `Unavailable` when the broker did not take it, as far as one knows; then try again with the same id. */
  async publish(message: Outgoing): Promise<void> {
    const options = { msgID: message.id, timeout: ACK_MS_MAX, headers: headOf(message) };
    try {
      await this.nats.whileConnected(() =>
        this.nats.jetstream.publish(message.subject, bodyOf(message), options),
      );
    } catch (error) {
      if (isThere(error)) return;
      const kind = error instanceof JetStreamError ? 'refused' : 'did not take';
      throw new Unavailable(
        `The broker ${kind} a message on ${message.subject}: ${messageOf(error)}`,
        STATUS.cannotConnect,
        { cause: error },
      );
    }
  }

  /** To whoever listens just then. Waits for nothing; while there is no connection it goes nowhere. */
  tell(message: Outgoing): void {
    if (!this.nats.connected) return;
    this.nats.connection.publish(message.subject, bodyOf(message), { headers: headOf(message) });
  }
}

function headOf({ contentType }: Outgoing): MsgHdrs {
  const head = headers();
  head.set('Content-Type', contentType);
  return head;
}

function bodyOf({ payload }: Outgoing): string {
  return payload instanceof JsonText ? payload.text : JSON.stringify(payload);
}

function isThere(error: unknown): boolean {
  const isNotStored = error instanceof JetStreamApiError && error.code === NOT_STORED;
  return isNotStored && messageOf(error).includes(PER_SUBJECT_LIMIT);
}
