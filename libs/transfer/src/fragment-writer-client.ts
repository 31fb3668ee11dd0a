import { blake3 } from '@napi-rs/blake-hash';
import type { Connection, RingCounters } from './connection.js';
import { openConnection, type ConnectOptions } from './connect.js';
import { ConnectionBroken, ProtocolError } from './errors.js';
import { MESSAGE, messageHeader, messageName, type Message } from './message.js';
import {
  parsePayload,
  sealed,
  writeReady,
  type Finish,
  type Seal,
  type Sealed,
} from './payloads.js';
import type { WriteReady } from './payloads.js';

const DIGEST_BYTES = 32;

export interface WriterEvents {
  /** A fragment is safe on its medium. */
  readonly onSealed?: (fragment: Sealed) => void;
}

/**
 * The writing end of a backup. Calls come one at a time, in the order of docs/formats.md: frames
 * and index of a fragment, its seal, the next fragment, and `finish` after the last. Whatever the
 * server or the network says in between is thrown by the next call.
 *
 * Buffers handed in belong to the client from then on and must not change.
 */
export class FragmentWriterClient {
  private failure: unknown;
  private done = false;
  private unanswered: number | undefined;
  private wake: (() => void)[] = [];

  private constructor(
    private readonly connection: Connection,
    /** What the media server allows this writer. */
    readonly ready: WriteReady,
    private readonly events: WriterEvents,
  ) {
    void this.listen();
  }

  /** See `openConnection` for how long it tries and what it throws. */
  static async connect(
    options: ConnectOptions,
    events: WriterEvents = {},
  ): Promise<FragmentWriterClient> {
    const { connection, ready } = await openConnection('write', options);
    try {
      return new FragmentWriterClient(connection, parsePayload(ready, writeReady), events);
    } catch (error) {
      connection.destroy();
      throw error;
    }
  }

  get counters(): Readonly<RingCounters> {
    return this.connection.counters;
  }

  /**
   * Sends one Zstandard frame of the open fragment; the first one opens it.
   * @param archiveLength Archive bytes in the frame. @param digest BLAKE3 of `bytes`, 32 bytes.
   */
  async frame(archiveLength: number, digest: Buffer, bytes: Buffer): Promise<void> {
    const extra = 4 + DIGEST_BYTES;
    const head = messageHeader(MESSAGE.FRAME, extra + bytes.length, extra);
    head.writeUInt32BE(archiveLength, head.length - extra);
    digest.copy(head, head.length - DIGEST_BYTES, 0, DIGEST_BYTES);
    await this.send([head, bytes]);
  }

  /** Sends one Zstandard frame of the open fragment's index, or its frame table. */
  async index(bytes: Buffer): Promise<void> {
    const head = messageHeader(MESSAGE.INDEX, DIGEST_BYTES + bytes.length, DIGEST_BYTES);
    blake3(bytes).copy(head, head.length - DIGEST_BYTES);
    await this.send([head, bytes]);
  }

  /**
   * Ends the open fragment. Waits until the one before is sealed (at most one SEAL is unanswered),
   * not until this one is.
   */
  async seal(info: Seal): Promise<void> {
    await this.until(() => this.unanswered === undefined);
    this.unanswered = info.number;
    await this.guard(this.connection.sendJson(MESSAGE.SEAL, info));
  }

  /**
   * Says that everything was sent, and waits without a time-out (the server's PINGs say that it is
   * alive) until the catalog has a verdict on every fragment; then the connection is over.
   */
  async finish(totals: Finish): Promise<void> {
    await this.guard(this.connection.sendJson(MESSAGE.FINISH, totals));
    await this.until(() => this.done);
    this.connection.end();
  }

  /** Gives up: the server is told, what was sealed stays and goes on to be committed. */
  abort(status: number, message: string): void {
    this.connection.reject(status, message);
  }

  /** Cuts the connection. */
  close(): void {
    this.connection.destroy();
  }

  private async send(buffers: readonly Buffer[]): Promise<void> {
    if (this.failure) throw this.failure;
    await this.guard(this.connection.sendRaw(buffers));
  }

  /** A broken pipe while sending is often the echo of an ERROR that is on its way: prefer that. */
  private async guard(sending: Promise<void>): Promise<void> {
    try {
      await sending;
    } catch (error) {
      throw this.failure ?? error;
    }
  }

  private async until(reached: () => boolean): Promise<void> {
    while (!reached()) {
      if (this.failure) throw this.failure;
      await new Promise<void>((resolve) => this.wake.push(resolve));
    }
  }

  private async listen(): Promise<void> {
    try {
      while (!this.done) {
        const message = await this.connection.receive();
        if (!message) throw new ConnectionBroken('network connection broken by the media server');
        this.onMessage(message);
        this.wakeAll();
      }
    } catch (error) {
      this.failure = error;
      this.connection.destroy();
      this.wakeAll();
    }
  }

  private onMessage(message: Message): void {
    if (message.type === MESSAGE.DONE) {
      this.done = true;
      return;
    }
    if (message.type !== MESSAGE.SEALED) {
      throw new ProtocolError(`A writer got ${messageName(message.type)}.`);
    }
    const fragment = parsePayload(message, sealed);
    if (fragment.number !== this.unanswered) {
      throw new ProtocolError(`Fragment ${fragment.number} was sealed, but nobody asked for it.`);
    }
    this.unanswered = undefined;
    this.events.onSealed?.(fragment);
  }

  private wakeAll(): void {
    for (const wake of this.wake.splice(0)) wake();
  }
}
