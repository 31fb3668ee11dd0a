import { Unavailable } from '#kernel/errors.js';
import type { Connection, RingCounters } from './connection.js';
import { openConnection, type ConnectOptions } from './connect.js';
import { ConnectionBroken, PeerFailure, ProtocolError, RangeUnreadable } from './errors.js';
import { MESSAGE, messageName, type Message } from './message.js';
import { parsePayload, readEnd, type ReadEnd, type ReadRequest } from './payloads.js';

/** Reads that may be under way at once. A read beyond waits for its turn to be asked for. */
export const READS_IN_FLIGHT_MAX = 64;

/**
 * The reading end of a restore. A READ goes out when `read` is called, so several may be under way;
 * they are answered, and have to be consumed, in the order in which they were asked. A read that is
 * left early is skipped when the next one is consumed; one that is never begun holds up the rest.
 */
export class FragmentReaderClient {
  private inFlight = 0;
  private previous: Promise<void> = Promise.resolve();

  private constructor(private readonly connection: Connection) {}

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
   */
  read(request: ReadRequest): AsyncIterable<Buffer> {
    if (this.inFlight >= READS_IN_FLIGHT_MAX) {
      throw new RangeError(`More than ${READS_IN_FLIGHT_MAX} reads are under way.`);
    }
    this.inFlight += 1;
    // What goes wrong here is thrown where the answer is awaited.
    this.connection.sendJson(MESSAGE.READ, request).catch(() => undefined);
    const turn = this.previous;
    let finish!: () => void;
    this.previous = new Promise((resolve) => (finish = resolve));
    return this.answer({ turn, finish });
  }

  /** Ends the connection in order, or cuts it if reads are under way. */
  close(): void {
    if (this.inFlight === 0) this.connection.end();
    else this.connection.destroy();
  }

  private async *answer(slot: { turn: Promise<void>; finish: () => void }): AsyncGenerator<Buffer> {
    let over = false;
    await slot.turn;
    try {
      let bytes = 0;
      for (;;) {
        const message = await this.next();
        if (message.type === MESSAGE.END) {
          over = true;
          checkEnd(parsePayload(message, readEnd), bytes);
          return;
        }
        bytes += message.length;
        yield* message.pieces;
      }
    } catch (error) {
      over = true;
      if (error instanceof RangeUnreadable) throw error;
      this.connection.destroy(error as Error);
      throw lasting(error);
    } finally {
      if (over) this.finished(slot);
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
    if (message.type !== MESSAGE.DATA && message.type !== MESSAGE.END) {
      throw new ProtocolError(`A reader got ${messageName(message.type)}.`);
    }
    return message;
  }
}

function checkEnd({ size, failure }: ReadEnd, bytes: number): void {
  if (failure) throw new RangeUnreadable(failure.status, failure.message);
  if (size !== bytes) {
    throw new ProtocolError(`A read of ${size} bytes came with ${bytes} bytes of data.`);
  }
}

/** What ends the connection is not the fault of one range, so it must not look like it. */
function lasting(error: unknown): unknown {
  if (!(error instanceof PeerFailure)) return error;
  return new Unavailable(error.message, error.status, { cause: error });
}
