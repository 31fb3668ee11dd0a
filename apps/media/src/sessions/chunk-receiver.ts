import { FRAME_ARCHIVE_BYTES_MAX } from '#archive/frames/frame-table.js';
import { blake3 } from '#kernel/blake3.js';
import { freeBytes } from '#kernel/free-bytes.js';
import type { ChunkIntake, ChunkIntakeSession, RecipeWriter } from '#storage/chunk-intake.js';
import type { FragmentName } from '#storage/fragment-name.js';
import {
  encodeKnown,
  IDS_PER_ASK_MAX,
  readChunks,
  readIds,
  type NamedChunk,
} from '#transfer/chunk-messages.js';
import type { Connection } from '#transfer/connection.js';
import type { FrameOfChunks } from '#transfer/fragment-writer-client.js';
import { MESSAGE, type Message } from '#transfer/message.js';
import { corruption } from '../domain/write-rules.js';

/** What READY says where the volume deduplicates. */
export const CHUNKS_READY = {
  idsPerAskMax: IDS_PER_ASK_MAX,
  frameBytes: FRAME_ARCHIVE_BYTES_MAX,
} as const;

/** What was taken in. */
export interface ChunkTally {
  /** Chunks, and bytes of archive, that were named. */
  chunks: number;
  archiveBytes: number;
  /** Of these, what was not there: chunks, and bytes as they are stored. */
  newChunks: number;
  newBytes: number;
}

/**
 * Takes in the chunks of one image: questions are answered, what is not there is taken, frame by frame, and fragments are
 * made of names. What was said to be there stays until `end`. Calls may overlap: they are done one at a time.
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
    await connection.send(MESSAGE.KNOWN, encodeKnown(await this.known(readIds(message))));
  }

  /** Takes a CHUNKS, if it has the digest that it was sent with. Its memory is the caller's again. */
  async chunks(message: Message): Promise<void> {
    const { chunks, digest, pieces } = readChunks(message);
    const stored = pieces.length === 1 ? pieces[0]! : Buffer.concat(pieces);
    if (!blake3(stored).equals(digest)) throw corruption('a frame of chunks came changed');
    await this.take({ chunks, digest: Buffer.from(digest), pieces: [stored] });
    if (pieces.length > 1) freeBytes(stored);
  }

  /** Which of these chunks need not be given. */
  known(ids: readonly Buffer[]): Promise<boolean[]> {
    return this.inTurn(() => this.session.ask(ids));
  }

  /** Takes in chunks that are not here. The digest has been compared, or made. */
  async take({ chunks, digest, pieces, gone }: FrameOfChunks): Promise<void> {
    const stored = pieces.length === 1 ? pieces[0]! : Buffer.concat(pieces);
    const { length } = stored;
    try {
      await this.inTurn(() => this.session.add({ stored, digest, chunks }));
    } finally {
      gone?.();
    }
    this.tally.newChunks += chunks.length;
    this.tally.newBytes += length;
  }

  /** Names what comes next in a fragment that was begun here. */
  async name(fragment: RecipeWriter, chunks: readonly NamedChunk[]): Promise<void> {
    await this.inTurn(() => fragment.add(chunks));
    this.tally.chunks += chunks.length;
    this.tally.archiveBytes += chunks.reduce((sum, { length }) => sum + length, 0);
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

/** For the log of a job. */
export function dedupText({ chunks, archiveBytes, newChunks, newBytes }: ChunkTally): string {
  return (
    `deduplicated: ${archiveBytes} bytes of archive came as ${newBytes} new bytes; ` +
    `${newChunks} of ${chunks} chunks were new`
  );
}
