import { DIGEST_BYTES } from '#kernel/blake3.js';
import { assert } from '#kernel/assert.js';
import { freeBytes } from '#kernel/free-bytes.js';
import {
  chunksHead,
  encodeIds,
  encodeNames,
  readKnown,
  type NamedChunk,
} from './chunk-messages.js';
import type { Connection } from './connection.js';
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

/** A Zstandard frame (or skippable frame) with its BLAKE3 (32 bytes). */
export interface DigestedFrame {
  readonly bytes: Buffer;
  readonly digest: Buffer;
}

export interface WriterEvents {
  /** A fragment is safe on its medium. */
  readonly onSealed?: (fragment: Sealed) => void;
}

/** A Zstandard frame in pieces, one behind the other, with its BLAKE3 (32 bytes). */
export interface FrameInPieces {
  readonly pieces: readonly Buffer[];
  readonly digest: Buffer;
  /** Called once when the pieces are not looked at any more, also if they could not be sent. */
  readonly gone?: (() => void) | undefined;
}

/** Some whole chunks, one behind the other, in one Zstandard frame. */
export interface FrameOfChunks extends FrameInPieces {
  readonly chunks: readonly NamedChunk[];
}

interface Question {
  readonly ids: number;
  readonly answer: (known: boolean[]) => void;
  readonly fail: (reason: unknown) => void;
}

/**
 * The writing end of a backup. Calls come one at a time, in the order of docs/formats.md: frames
 * and index of a fragment, its seal, the next fragment, and `finish` after the last. Whatever the
 * server or the network says in between is thrown by the next call.
 *
 * Buffers handed in belong to the client from then on: they must not be used any more, and the memory of frames is
 * given back when they are sent (`freeBytes`; where it is shared by threads, `gone` says so).
 */
export class FragmentWriterClient {
  private failure: unknown;
  private done = false;
  private unanswered: number | undefined;
  private readonly questions: Question[] = [];
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

  /** The storage unit's limit for a fragment as stored, seek table included; see `fragmentBytesMaxAt`. */
  get fragmentBytesMax(): number {
    return this.ready.fragmentBytesMax;
  }

  /** Sends one frame of the open fragment; the first one opens it. */
  async frame(frame: FrameInPieces & { readonly archiveLength: number }): Promise<void> {
    const extra = 4 + DIGEST_BYTES;
    const head = messageHeader(MESSAGE.FRAME, extra + bytesOf(frame.pieces), extra);
    head.writeUInt32BE(frame.archiveLength, head.length - extra);
    frame.digest.copy(head, head.length - DIGEST_BYTES, 0, DIGEST_BYTES);
    await this.sendFrame([head], frame);
  }

  /**
   * Asks which of these chunks (at most `ready.chunks.idsPerAskMax`) the volume has. What comes next may be
   * sent, and asked, before the answer is here.
   */
  async ask(ids: readonly Buffer[]): Promise<boolean[]> {
    const payload = encodeIds(ids);
    const known = new Promise<boolean[]>((answer, fail) => {
      this.questions.push({ ids: ids.length, answer, fail });
    });
    known.catch(() => undefined); // thrown below, when it has been sent
    await this.send([messageHeader(MESSAGE.ASK, payload.length), payload]);
    return known;
  }

  /** Sends chunks that the volume does not have. They belong to no fragment yet. */
  async chunks(frame: FrameOfChunks): Promise<void> {
    const head = chunksHead(frame.chunks, frame.digest);
    const payloadBytes = head.length + bytesOf(frame.pieces);
    await this.sendFrame([messageHeader(MESSAGE.CHUNKS, payloadBytes), head], frame);
  }

  /** Names what comes next in the open fragment; the first name opens it. */
  async recipe(chunks: readonly NamedChunk[]): Promise<void> {
    const names = encodeNames(chunks);
    await this.send([messageHeader(MESSAGE.RECIPE, names.length), names]);
  }

  /** Sends one frame of the open fragment's index, or its frame table. */
  async index(block: DigestedFrame): Promise<void> {
    const head = messageHeader(MESSAGE.INDEX, DIGEST_BYTES + block.bytes.length, DIGEST_BYTES);
    block.digest.copy(head, head.length - DIGEST_BYTES, 0, DIGEST_BYTES);
    await this.send([head, block.bytes]);
  }

  /**
   * Ends the open fragment and resolves when it is safe; the next fragment's frames may follow
   * before that, its seal may not. The last fragment's manifest holds the totals, so it is sealed by
   * `finish`, and this resolves when the SEAL is on its way.
   */
  async seal(info: Seal): Promise<void> {
    assert(this.unanswered === undefined, 'two seals are pending');
    this.unanswered = info.number;
    // Nothing is awaited before this is written: a frame that is handed in next must not overtake it.
    await this.guard(this.connection.sendJson(MESSAGE.SEAL, info));
    if (!info.last) await this.until(() => this.unanswered !== info.number);
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

  private async sendFrame(
    heads: readonly Buffer[],
    { pieces, gone = () => pieces.forEach(freeBytes) }: FrameInPieces,
  ): Promise<void> {
    if (this.failure) {
      gone();
      throw this.failure;
    }
    await this.guard(this.connection.sendRaw([...heads, ...pieces], gone));
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
      for (const { fail } of this.questions.splice(0)) fail(error);
      this.wakeAll();
    }
  }

  private onMessage(message: Message): void {
    if (message.type === MESSAGE.DONE) {
      this.done = true;
      return;
    }
    if (message.type === MESSAGE.KNOWN) {
      const question = this.questions.shift();
      if (!question) throw new ProtocolError('KNOWN came, but nobody asked.');
      try {
        question.answer(readKnown(message, question.ids));
      } catch (error) {
        question.fail(error);
        throw error;
      }
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

function bytesOf(pieces: readonly Buffer[]): number {
  return pieces.reduce((sum, { length }) => sum + length, 0);
}
