import { blake3 } from '@napi-rs/blake-hash';
import { freeBytes } from '#kernel/free-bytes.js';
import type { ChunkIntake, ChunkIntakeSession, RecipeWriter } from '#storage/chunk-intake.js';
import type { FragmentName } from '#storage/fragment-name.js';
import { encodeKnown, IDS_PER_ASK_MAX, readChunks, readIds } from '#transfer/chunk-messages.js';
import type { Connection } from '#transfer/connection.js';
import { MESSAGE, type Message } from '#transfer/message.js';
import { corruption, FRAME_ARCHIVE_BYTES_MAX } from '../domain/write-rules.js';

/** What READY says where the volume deduplicates. */
export const CHUNKS_READY = {
  idsPerAskMax: IDS_PER_ASK_MAX,
  frameBytes: FRAME_ARCHIVE_BYTES_MAX,
} as const;

/** What a connection has delivered. */
export interface ChunkTally {
  /** Chunks, and bytes of archive, that were named. */
  chunks: number;
  archiveBytes: number;
  /** Of these, what was not there: chunks, and bytes as they are stored. */
  newChunks: number;
  newBytes: number;
}

/**
 * What one connection says of chunks: its questions are answered, what it sends is taken in, frame by
 * frame, when it has the digest that it was sent with. What it was told is there stays until `end`.
 */
export class ChunkReceiver {
  readonly tally: ChunkTally = { chunks: 0, archiveBytes: 0, newChunks: 0, newBytes: 0 };
  private readonly session: ChunkIntakeSession;
  private busy: Promise<unknown> = Promise.resolve();

  constructor(intake: ChunkIntake, domain: string) {
    this.session = intake.session(domain);
  }

  /** Takes an ASK and answers it. */
  async ask(message: Message, connection: Connection): Promise<void> {
    const known = await this.inTurn(() => this.session.ask(readIds(message)));
    await connection.send(MESSAGE.KNOWN, encodeKnown(known));
  }

  /** Takes a CHUNKS. */
  async chunks(message: Message): Promise<void> {
    const { chunks, digest, pieces } = readChunks(message);
    const stored = pieces.length === 1 ? pieces[0]! : Buffer.concat(pieces);
    if (!blake3(stored).equals(digest)) throw corruption('a frame of chunks came changed');
    const { length } = stored;
    await this.inTurn(() => this.session.add({ stored, digest: Buffer.from(digest), chunks }));
    message.pieces.forEach(freeBytes);
    freeBytes(stored);
    this.tally.newChunks += chunks.length;
    this.tally.newBytes += length;
  }

  /** Begins a fragment. Nothing of the next one is taken in while it is sealed. */
  begin(name: FragmentName): Promise<RecipeWriter> {
    return this.inTurn(() => this.session.begin(name, CHUNKS_READY.frameBytes));
  }

  /** Does what must not happen beside a call of the session. */
  inTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = this.busy.then(work);
    this.busy = done.catch(() => undefined);
    return done;
  }

  /** Lets go of everything. Never throws. */
  end(): Promise<void> {
    return this.inTurn(() => this.session.end());
  }
}
