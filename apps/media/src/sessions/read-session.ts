import { Cancelled, PermanentError } from '#kernel/errors.js';
import { STATUS } from '#kernel/status.js';
import { FragmentUnreadable } from '#storage/errors.js';
import {
  READ_BYTES_MAX,
  type FragmentObject,
  type FragmentStore,
  type SealedFragmentReader,
} from '#storage/fragment-store.js';
import { readGet, type WantedChunks } from '#transfer/chunk-messages.js';
import type { Connection } from '#transfer/connection.js';
import { ProtocolError } from '#transfer/errors.js';
import { MESSAGE, messageName, type Message } from '#transfer/message.js';
import { parsePayload, readRequest, type ReadEnd, type ReadRequest } from '#transfer/payloads.js';
import type { FragmentState } from '../domain/journal-state.js';
import { answerGet, answerRecipe } from './chunk-answers.js';
import { ProgressMeter, type SessionProgress } from './progress.js';
import { failureOf, type SessionFailure } from './session-end.js';

/** Fragments that one session keeps open. */
const OPEN_READERS_MAX = 4;

/** A volume as a reader sees it: nothing of it can be changed from here. */
export interface ReadableVolume {
  readonly store: Pick<FragmentStore, 'open'>;
  readonly ledger: { find(fragmentId: string): FragmentState | undefined };
}

export interface ReadSessionOptions {
  /** The images whose fragments may be read. */
  readonly imageIds: readonly string[];
  readonly places: { volumeOf(fragmentId: string): ReadableVolume | undefined };
  readonly onProgress?: (progress: SessionProgress) => void;
}

/** How a session ended, and what it gave. Status 0: the reader hung up between two reads. */
export interface ReadOutcome extends SessionFailure {
  readonly reads: number;
  readonly bytes: number;
}

/**
 * One connection that reads fragments of the images that its token allows. READs and GETs are answered in
 * order; the next piece is read from the medium while the last one is on its way. A range that
 * cannot be read ends with END and its failure, and the session goes on.
 */
export class ReadSession {
  private readonly readers = new Map<string, SealedFragmentReader>();
  private readonly images: ReadonlySet<string>;
  private readonly buffers = new ReadBuffers();
  private reads = 0;
  private bytes = 0;
  private fragments = 0;
  private connection: Connection | undefined;
  private cancelled: Error | undefined;

  constructor(private readonly options: ReadSessionOptions) {
    this.images = new Set(options.imageIds);
  }

  /** Serves the connection to its end. Never throws: the outcome says what happened. */
  async run(connection: Connection): Promise<ReadOutcome> {
    this.connection = connection;
    const report = this.options.onProgress ?? (() => undefined);
    const meter = new ProgressMeter(() => this.progress(connection), report);
    try {
      if (this.cancelled) throw this.cancelled;
      await this.serve(connection, meter);
      return this.outcome({ status: STATUS.ok, message: '' });
    } catch (error) {
      const failure = failureOf(error);
      connection.reject(failure.status, failure.message);
      return this.outcome(failure);
    } finally {
      meter.end();
      connection.end();
      for (const reader of this.readers.values()) await reader.close();
    }
  }

  /** Ends the session from outside: the reader gets ERROR with this status. */
  cancel(): void {
    const reason = new Cancelled();
    this.cancelled = reason;
    this.connection?.interrupt(reason);
  }

  private async serve(connection: Connection, meter: ProgressMeter): Promise<void> {
    await connection.sendJson(MESSAGE.READY, {});
    for (;;) {
      const message = await connection.receive();
      if (!message) return;
      await this.answer(connection, () => this.take(message, connection, meter));
    }
  }

  private take(message: Message, connection: Connection, meter: ProgressMeter): Promise<ReadEnd> {
    const onBytes = (bytes: number) => {
      this.bytes += bytes;
      meter.touch();
    };
    if (message.type === MESSAGE.GET) {
      return this.sendChunks(readGet(message), { connection, onBytes });
    }
    if (message.type !== MESSAGE.READ) {
      throw new ProtocolError(`A reader sent ${messageName(message.type)}.`);
    }
    return this.sendRange(parsePayload(message, readRequest), { connection, onBytes });
  }

  private async answer(connection: Connection, work: () => Promise<ReadEnd>): Promise<void> {
    this.reads += 1;
    let end: ReadEnd;
    try {
      end = await work();
    } catch (error) {
      if (!(error instanceof FragmentUnreadable)) throw error;
      end = { size: 0, failure: { status: error.status, message: error.message } };
    }
    await connection.sendJson(MESSAGE.END, end);
  }

  private async sendChunks(wanted: WantedChunks, to: Receiver): Promise<ReadEnd> {
    return answerGet(await this.reader(wanted.fragmentId), wanted, to);
  }

  private async sendRange(request: ReadRequest, to: Receiver): Promise<ReadEnd> {
    const reader = await this.reader(request.fragmentId);
    const { object, offset, length } = request;
    if (object === 'recipe') return answerRecipe(reader, request, to.connection);
    const pieces =
      object === 'manifest'
        ? manifestOf(reader)
        : piecesOf(reader, { object, offset, length }, this.buffers);
    let size = 0;
    for await (const { piece, gone } of pieces) {
      size += piece.length;
      to.onBytes(piece.length);
      await to.connection.lend(MESSAGE.DATA, [piece], gone);
    }
    return { size };
  }

  private async reader(fragmentId: string): Promise<SealedFragmentReader> {
    const kept = this.readers.get(fragmentId);
    if (kept) return kept;
    const volume = this.options.places.volumeOf(fragmentId);
    const state = volume?.ledger.find(fragmentId);
    if (!volume || !state || state.phase === 'INTENT') {
      throw new FragmentUnreadable(fragmentId, 'is not on this media server');
    }
    const { imageId, copy, number } = state.manifest;
    if (!this.images.has(imageId)) {
      throw new PermanentError(
        STATUS.accessNotAllowed,
        `server not allowed access: fragment ${fragmentId}`,
      );
    }
    const reader = await volume.store.open({ imageId, copy, number, fragmentId });
    this.fragments += 1;
    await this.keep(fragmentId, reader);
    return reader;
  }

  private async keep(fragmentId: string, reader: SealedFragmentReader): Promise<void> {
    const [oldest] = this.readers;
    if (oldest && this.readers.size >= OPEN_READERS_MAX) {
      this.readers.delete(oldest[0]);
      await oldest[1].close();
    }
    this.readers.set(fragmentId, reader);
  }

  private progress(connection: Connection): SessionProgress {
    const { bytes, fragments } = this;
    const { waitsForFullBuffer, waitsToSend: waitsForEmptyBuffer } = connection.counters;
    const moved = { archiveBytes: bytes, storedBytes: bytes, fragments };
    return { ...moved, waitsForFullBuffer, waitsForEmptyBuffer };
  }

  private outcome(failure: SessionFailure): ReadOutcome {
    return { ...failure, reads: this.reads, bytes: this.bytes };
  }
}

/** Where an answer goes, and who hears of its bytes. */
interface Receiver {
  readonly connection: Connection;
  readonly onBytes: (bytes: number) => void;
}

function* manifestOf(reader: SealedFragmentReader): Generator<Piece> {
  const text = Buffer.from(JSON.stringify(reader.manifest), 'utf8');
  for (let at = 0; at < text.length; at += READ_BYTES_MAX) {
    yield { piece: text.subarray(at, at + READ_BYTES_MAX), gone: () => undefined };
  }
}

/** What is sent, and what to do when it is. */
interface Piece {
  readonly piece: Buffer;
  readonly gone: () => void;
}

/** Buffers that are used again, as many as are under way at once: else each would cost page faults and collections. */
class ReadBuffers {
  private readonly free: Buffer[] = [];

  async read(length: number, read: (into: Buffer) => Promise<Buffer>): Promise<Piece> {
    if (length < READ_BYTES_MAX / 16) {
      return { piece: await read(Buffer.allocUnsafe(length)), gone: () => undefined };
    }
    const buffer = this.free.pop() ?? Buffer.allocUnsafeSlow(READ_BYTES_MAX);
    const piece = await read(buffer);
    return { piece, gone: () => void this.free.push(buffer) };
  }
}

/** The range in pieces of at most 1 MiB, one of them read ahead. */
async function* piecesOf(
  reader: SealedFragmentReader,
  { object, offset, length }: { object: FragmentObject; offset: number; length: number },
  buffers: ReadBuffers,
): AsyncGenerator<Piece> {
  const end = offset + length;
  const readAt = (at: number) => {
    const bytes = Math.min(READ_BYTES_MAX, end - at);
    return buffers.read(bytes, (into) => reader.read(object, at, bytes, into));
  };
  if (end > reader.size(object)) await reader.read(object, reader.size(object), 1);
  let ahead: Promise<Piece> | undefined = length > 0 ? readAt(offset) : undefined;
  for (let at = offset; ahead;) {
    const next: Piece = await ahead;
    at += next.piece.length;
    ahead = at < end ? readAt(at) : undefined;
    // Thrown when it is awaited; if nobody comes to that, it is of no interest.
    ahead?.catch(() => undefined);
    yield next;
  }
}
