import { CUT_SIZES } from '#archive/chunking/gear-cutter.js';
import { assert } from '#kernel/assert.js';
import { copyBytes } from '#kernel/copy-bytes.js';
import type { NamedChunk } from '../chunk-messages.js';
import type { FragmentWriterClient } from '../fragment-writer-client.js';
import type { FrameMaker, MadeFrame } from '#archive/frames/frame-maker.js';
import { SentIds } from './sent-ids.js';

/** What is asked for at once: so many ids, or chunks of so many bytes. */
const ASK_IDS_MAX = 1_024;
const ASK_BYTES_MAX = 2 * 1024 * 1024;
/** Bytes of chunks whose answers are still to come: so several questions are under way. */
const ASKED_BYTES_MAX = 4 * 1024 * 1024;
/** Archive bytes of a frame of chunks; a larger chunk is alone in one. */
const FRAME_BYTES = 1024 * 1024;
/** Of the largest chunk that is cut. */
const CUT_BYTES_MAX = CUT_SIZES.max + 64 * 1024;
/** Bytes of chunks that are not settled: asked for, waiting to be, and the one that is being cut. */
export const COURIER_HOLDS_BYTES_MAX = ASKED_BYTES_MAX + ASK_BYTES_MAX + 2 * CUT_BYTES_MAX;
/** Bytes of chunks in frames that are being made, or that the network has not taken yet. */
const SENDING_BYTES_MAX = 6 * 1024 * 1024;
/** Names that wait for a frame in front of them to be full. */
const NAMES_WAITING_MAX = 8_192;

/** A run of archive bytes, in the pieces in which it came. */
export interface Chunk extends NamedChunk {
  readonly pieces: readonly Buffer[];
}

export type ChunkWriter = Pick<FragmentWriterClient, 'ask' | 'chunks' | 'recipe'>;

/**
 * Brings the chunks of an archive to a volume that deduplicates: asks which are there, sends the others
 * in frames of about 1 MiB, and names all of them in order, each one when it is known or was sent. Several
 * questions and frames are under way, so that nothing waits for a round trip; it holds about 10 MiB, and as much
 * of what it was given.
 * The first failure ends it: `add` and `flush` throw it from then on.
 */
export class ChunkCourier {
  #batch: Chunk[] = [];
  #batchBytes = 0;
  /** Batches that were asked for, one after the other. */
  #settling: Promise<void> = Promise.resolve();
  readonly #asked = new Held(ASKED_BYTES_MAX);
  #frame: Chunk[] = [];
  #frameData = frameMemory();
  /** Of frames that were sent: as many as were under way at once. */
  readonly #spare: Buffer[] = [];
  #frameBytes = 0;
  #names: NamedChunk[] = [];
  /** Frames and names on their way, one after the other. */
  #sending: Promise<void> = Promise.resolve();
  readonly #underWay = new Held(SENDING_BYTES_MAX);
  readonly #sent = new SentIds();

  constructor(
    private readonly writer: ChunkWriter,
    private readonly maker: Pick<FrameMaker, 'make'>,
    private readonly options: {
      readonly idsPerAskMax: number;
      /** Bytes of chunks, in order, whose pieces are not looked at any more. */
      readonly onSettled: (bytes: number) => void;
    },
  ) {}

  /** Takes the next chunk; resolves when there is room for more. Calls come one at a time. */
  async add(chunk: Chunk): Promise<void> {
    this.#batch.push(chunk);
    this.#batchBytes += chunk.length;
    const isFull = this.#batch.length >= Math.min(this.options.idsPerAskMax, ASK_IDS_MAX);
    if (!isFull && this.#batchBytes < ASK_BYTES_MAX) return;
    this.#ask();
    await this.#asked.room();
  }

  /** Resolves when all that was added has been sent and named. */
  async flush(): Promise<void> {
    if (this.#batch.length > 0) this.#ask();
    await this.#settling;
    this.#send();
    await this.#sending;
  }

  /** Instead of `flush`: what was not asked for yet is left out. Resolves when nothing is on its way, however that went. */
  async giveUp(): Promise<void> {
    await this.#settling.catch(() => undefined);
    await this.#sending.catch(() => undefined);
  }

  #ask(): void {
    const batch = this.#batch;
    const bytes = this.#batchBytes;
    this.#batch = [];
    this.#batchBytes = 0;
    this.#asked.add(bytes);
    const known = this.writer.ask(batch.map(({ id }) => id));
    known.catch(() => undefined); // thrown in its turn
    this.#settling = this.#settling.then(async () => {
      await this.#settle(batch, await known);
      this.options.onSettled(bytes);
      this.#asked.remove(bytes);
    });
    this.#settling.catch((error: unknown) => this.#fail(error));
  }

  async #settle(batch: readonly Chunk[], known: readonly boolean[]): Promise<void> {
    for (const [at, chunk] of batch.entries()) {
      if (!known[at] && this.#sent.add(chunk.id)) {
        if (this.#frameBytes + chunk.length > FRAME_BYTES) {
          this.#send();
          await this.#underWay.room();
        }
        this.#pack(chunk);
      }
      this.#names.push({ id: chunk.id, length: chunk.length });
    }
    if (this.#frame.length === 0 || this.#names.length > NAMES_WAITING_MAX) this.#send();
  }

  /** Copies it: a chunk shares memory with all that was read with it. */
  #pack({ id, length, pieces }: Chunk): void {
    assert(this.#frameBytes + length <= this.#frameData.length, 'a frame holds more than it may');
    for (const piece of pieces) {
      copyBytes(piece, this.#frameData, this.#frameBytes);
      this.#frameBytes += piece.length;
    }
    this.#frame.push({ id, length, pieces: [] });
  }

  /** Sends the frame as it is, if there is one, and the names behind it. */
  #send(): void {
    const [chunks, bytes, names] = [this.#frame, this.#frameBytes, this.#names];
    if (names.length === 0) return;
    this.#names = [];
    let making: Promise<MadeFrame> | undefined;
    const data = this.#frameData;
    if (chunks.length > 0) {
      making = this.maker.make(data, bytes);
      making.catch(() => undefined); // thrown in its turn
      this.#underWay.add(bytes);
      this.#frame = [];
      this.#frameBytes = 0;
      this.#frameData = this.#spare.pop() ?? frameMemory();
    }
    this.#sending = this.#sending.then(async () => {
      const frame = await making;
      if (frame) {
        const { pieces, digest } = frame;
        const gone = () => this.#takeBack(data, bytes);
        await this.writer.chunks({ chunks, pieces, digest, gone });
      }
      await this.writer.recipe(names);
    });
    this.#sending.catch((error: unknown) => this.#fail(error));
  }

  #takeBack(data: Buffer, bytes: number): void {
    this.#spare.push(data);
    this.#underWay.remove(bytes);
  }

  #fail(error: unknown): void {
    this.#asked.fail(error);
    this.#underWay.fail(error);
  }
}

/** Room for a frame, or for a chunk that is larger and alone in one. Another thread may make the frame of it. */
function frameMemory(): Buffer {
  return Buffer.from(new SharedArrayBuffer(Math.max(FRAME_BYTES, CUT_BYTES_MAX)));
}

/** Bytes that are held, within a limit. */
class Held {
  #bytes = 0;
  #failure: unknown;
  #waiting: (() => void)[] = [];

  constructor(private readonly bytesMax: number) {}

  add(bytes: number): void {
    this.#bytes += bytes;
  }

  remove(bytes: number): void {
    this.#bytes -= bytes;
    this.#wake();
  }

  /** Resolves when it is within the limit. Throws what `fail` was told. */
  async room(): Promise<void> {
    while (this.#bytes > this.bytesMax && this.#failure === undefined) {
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
    if (this.#failure !== undefined) throw this.#failure;
  }

  fail(error: unknown): void {
    this.#failure ??= error;
    this.#wake();
  }

  #wake(): void {
    for (const wake of this.#waiting.splice(0)) wake();
  }
}
