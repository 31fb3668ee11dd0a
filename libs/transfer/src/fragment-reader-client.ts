import { CHUNK_BYTES_MAX } from '#archive/chunking/chunk-size.js';
import { blake3 } from '#kernel/blake3.js';
import { Unavailable } from '#kernel/errors.js';
import {
  encodeGet,
  readChunks,
  readRecipe,
  type NamedChunk,
  type WantedChunks,
} from './chunk-messages.js';
import type { Connection, RingCounters } from './connection.js';
import { openConnection, type ConnectOptions } from './connect.js';
import { ConnectionBroken, PeerFailure, ProtocolError, RangeUnreadable } from './errors.js';
import { MESSAGE, messageName, type Message, type MessageType } from './message.js';
import { jsonPayload, parsePayload, readEnd, type ReadEnd, type ReadRequest } from './payloads.js';

/** Reads that may be under way at once. A read beyond waits for its turn to be asked for. */
export const READS_IN_FLIGHT_MAX = 64;

/** Chunks that lie one behind the other in what a fragment's recipe comes to. */
export interface RecipeRange {
  readonly domain: string;
  readonly frameBytes: number | undefined;
  /** Where the first one begins. */
  readonly offset: number;
  readonly chunks: readonly NamedChunk[];
}

/** Some whole chunks, one behind the other, in one Zstandard frame, which is the receiver's alone. */
export interface SentFrame {
  readonly stored: Buffer;
  /** BLAKE3 of it, which was compared. */
  readonly digest: Buffer;
  readonly chunks: readonly NamedChunk[];
}

/**
 * The reading end of a restore. A READ goes out when `read` is called, so several may be under way;
 * they are answered, and have to be consumed, in the order in which they were asked. A read that is
 * left early is skipped when the next one is consumed; one that is never begun holds up the rest.
 */
export class FragmentReaderClient {
  private inFlight = 0;
  private previous: Promise<void> = Promise.resolve();
  /** Where the answers go whose END has not come, in their order. */
  private readonly targets: Target[] = [];

  private constructor(private readonly connection: Connection) {
    connection.placePayloads((type, length) => {
      if (type === MESSAGE.END) this.targets.shift();
      return type === MESSAGE.DATA ? this.targets[0]?.next(length) : undefined;
    });
  }

  /** See `openConnection` for how long it tries and what it throws. */
  static async connect(options: ConnectOptions): Promise<FragmentReaderClient> {
    const { connection } = await openConnection('read', options);
    return new FragmentReaderClient(connection);
  }

  get counters(): Readonly<RingCounters> {
    return this.connection.counters;
  }

  /**
   * Reads a range of a fragment's data or index, in buffers of at most 1 MiB. Throws
   * `RangeUnreadable` when the server cannot read this range: other reads go on. Throws
   * `Unavailable` with the status when the server or the network gave up: the connection is over.
   * @param into Where pieces are read as far as there is room for them, one behind the other; it is written to until
   * the answer has come, also if the read is left early.
   */
  read(request: ReadRequest, into?: Buffer): AsyncIterable<Buffer> {
    const question = { type: MESSAGE.READ, payload: jsonPayload(request), into };
    return this.ask(question, async function* (messages) {
      let bytes = 0;
      for await (const message of messages.of(MESSAGE.DATA)) {
        bytes += message.length;
        yield* message.pieces;
      }
      messages.expect(bytes);
    });
  }

  /**
   * The chunks that a range of what they come to is made of, the first and last of which may reach beyond it;
   * undefined for a fragment that is not made of chunks. Throws as `read` does.
   */
  async recipe(range: Omit<ReadRequest, 'object'>): Promise<RecipeRange | undefined> {
    const request: ReadRequest = { ...range, object: 'recipe' };
    const question = { type: MESSAGE.READ, payload: jsonPayload(request) };
    const answer = this.ask(question, async function* (messages) {
      const chunks: NamedChunk[] = [];
      // The first and the last one reach beyond the range.
      let room = range.length + 2 * CHUNK_BYTES_MAX;
      for await (const message of messages.of(MESSAGE.RECIPE)) {
        for (const chunk of readRecipe(message)) {
          room -= chunk.length;
          chunks.push(chunk);
        }
        if (room < 0) throw new ProtocolError('More chunks came than the range is made of.');
      }
      messages.expect(chunks.length);
      const { recipe } = messages.end!;
      if (recipe) yield { ...recipe, frameBytes: recipe.frameBytes, chunks };
    });
    for await (const recipe of answer) return recipe;
    return undefined;
  }

  /** Frames with all the chunks that are wanted, each checked by the digest that it was sent with. Throws as `read` does. */
  chunks(wanted: WantedChunks): AsyncIterable<SentFrame> {
    return this.ask({ type: MESSAGE.GET, payload: encodeGet(wanted) }, async function* (messages) {
      let count = 0;
      for await (const message of messages.of(MESSAGE.CHUNKS)) {
        const { chunks, digest, pieces } = readChunks(message);
        const stored = pieces.length === 1 ? pieces[0]! : Buffer.concat(pieces);
        if (!blake3(stored).equals(digest)) {
          throw new ProtocolError('A frame of chunks came with another digest than it was sent.');
        }
        count += chunks.length;
        yield { chunks, stored, digest: Buffer.from(digest) };
      }
      messages.expect(count);
    });
  }

  /** Ends the connection in order, or cuts it if reads are under way. */
  close(): void {
    if (this.inFlight === 0) this.connection.end();
    else this.connection.destroy();
  }

  private ask<T>(
    { type, payload, into }: Question,
    take: (messages: Answer) => AsyncGenerator<T>,
  ): AsyncGenerator<T> {
    if (this.inFlight >= READS_IN_FLIGHT_MAX) {
      throw new RangeError(`More than ${READS_IN_FLIGHT_MAX} reads are under way.`);
    }
    this.inFlight += 1;
    this.targets.push(new Target(into));
    // What goes wrong here is thrown where the answer is awaited.
    this.connection.send(type, payload).catch(() => undefined);
    const turn = this.previous;
    let finish!: () => void;
    this.previous = new Promise((resolve) => (finish = resolve));
    return this.answer({ turn, finish }, take);
  }

  private async *answer<T>(
    slot: { turn: Promise<void>; finish: () => void },
    take: (messages: Answer) => AsyncGenerator<T>,
  ): AsyncGenerator<T> {
    await slot.turn;
    const messages = new Answer(() => this.next());
    let failed = false;
    try {
      yield* take(messages);
    } catch (error) {
      failed = true;
      if (error instanceof RangeUnreadable) throw error;
      this.connection.destroy(error as Error);
      throw lasting(error);
    } finally {
      if (failed || messages.end) this.finished(slot);
      else void this.skip(slot);
    }
  }

  /** Throws away the rest of an answer that nobody wants, so that the next read gets its own. */
  private async skip(slot: { finish: () => void }): Promise<void> {
    try {
      while ((await this.next()).type !== MESSAGE.END);
    } catch (error) {
      this.connection.destroy(error as Error);
    } finally {
      this.finished(slot);
    }
  }

  private finished(slot: { finish: () => void }): void {
    this.inFlight -= 1;
    slot.finish();
  }

  private async next(): Promise<Message> {
    const message = await this.connection.receive();
    if (!message) throw new ConnectionBroken('network connection broken by the media server');
    return message;
  }
}

interface Question {
  readonly type: MessageType;
  readonly payload: Buffer;
  readonly into?: Buffer | undefined;
}

/** Memory that is filled with the DATA of one answer. */
class Target {
  private filled = 0;

  constructor(private readonly into: Buffer | undefined) {}

  next(length: number): Buffer | undefined {
    const end = this.filled + length;
    if (this.into === undefined || end > this.into.length) return undefined;
    const place = this.into.subarray(this.filled, end);
    this.filled = end;
    return place;
  }
}

/** What the server says to one question, up to its END. */
class Answer {
  end: ReadEnd | undefined;

  constructor(private readonly next: () => Promise<Message>) {}

  /** Throws `RangeUnreadable` at an END with a failure, `ProtocolError` for another type. */
  async *of(type: MessageType): AsyncGenerator<Message> {
    for (;;) {
      const message = await this.next();
      if (message.type === MESSAGE.END) {
        this.end = parsePayload(message, readEnd);
        const { failure } = this.end;
        if (failure) throw new RangeUnreadable(failure.status, failure.message);
        return;
      }
      if (message.type !== type) {
        throw new ProtocolError(`A reader got ${messageName(message.type)}.`);
      }
      yield message;
    }
  }

  /** Throws `ProtocolError` if the server counts otherwise. */
  expect(size: number): void {
    if (this.end?.size === size) return;
    throw new ProtocolError(`A read of ${this.end?.size} came with ${size}.`);
  }
}

/** What ends the connection is not the fault of one range, so it must not look like it. */
function lasting(error: unknown): unknown {
  if (!(error instanceof PeerFailure)) return error;
  return new Unavailable(error.message, error.status, { cause: error });
}
