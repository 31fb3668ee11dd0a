import type { FrameMaker } from '#archive/frames/frame-maker.js';
import { rawFrameContent } from '#archive/frames/raw-frame.js';
import { assert } from '#kernel/assert.js';
import type { FragmentWriterClient } from '#transfer/fragment-writer-client.js';
import type { NamedChunk } from '#transfer/chunk-messages.js';
import {
  COURIER_HOLDS_BYTES_MAX,
  ChunkCourier,
  type ChunkWriter,
} from '#transfer/chunks/chunk-courier.js';
import { FramesInUse } from '#transfer/chunks/frames-in-use.js';
import { Pieces } from '#transfer/chunks/pieces.js';
import type {
  Chunking,
  ChunksEnd,
  DataFrame,
  DigestedBytes,
  FragmentSeal,
  FragmentSink,
  ImageTotals,
} from '../fragment-sink.js';

export type RecipeClient = ChunkWriter &
  Pick<FragmentWriterClient, 'ready' | 'index' | 'seal' | 'finish'>;

/**
 * Sends a backup's fragments to a media server whose volume deduplicates: as chunks, of which only those go
 * over the network that are not there. The frames are never sent; their digests are those of the data
 * that the volume makes out of the chunks.
 */
export class ChunkSink implements FragmentSink {
  readonly fragmentBytesMax: number;
  readonly chunking: Chunking;

  readonly #courier: ChunkCourier;
  readonly #inUse = new FramesInUse();
  /** What no chunk was taken of yet. */
  readonly #pieces = new Pieces();
  #dataDigest: string | undefined;
  /** Resolves when the SEAL of the last fragment is on its way: what comes next must not overtake it. */
  #sealSent: Promise<unknown> = Promise.resolve();

  /** For a writer that was told of chunks. */
  constructor(
    private readonly writer: RecipeClient,
    chunks: NonNullable<FragmentWriterClient['ready']['chunks']>,
    frames: FrameMaker,
  ) {
    const { fragmentBytesMax, nextFragment, archiveOffset } = writer.ready;
    this.fragmentBytesMax = fragmentBytesMax;
    // Going on with an image, it may begin anywhere in an entry.
    const start = { archiveOffset, entryLeft: nextFragment > 1 ? undefined : 0 };
    const { frameBytes } = chunks;
    this.chunking = { frameBytes, start, heldBytesMax: COURIER_HOLDS_BYTES_MAX };
    const onSettled = (bytes: number) => this.#inUse.settled(bytes);
    this.#courier = new ChunkCourier(writer, frames, {
      idsPerAskMax: chunks.idsPerAskMax,
      onSettled,
    });
  }

  async frame({ archiveLength, pieces, chunks = [], gone }: DataFrame): Promise<void> {
    await this.#sealSent;
    this.#inUse.add(archiveLength, gone);
    const [bytes] = pieces;
    assert(bytes && pieces.length === 1, 'a frame of chunks comes in pieces');
    this.#pieces.push(...rawFrameContent(bytes));
    await this.#take(chunks);
  }

  async endChunks({ chunks, dataDigest }: ChunksEnd): Promise<void> {
    await this.#sealSent;
    await this.#take(chunks);
    assert(this.#dataDigest === undefined, 'the chunks of a fragment end twice');
    this.#dataDigest = dataDigest;
  }

  async index(block: DigestedBytes): Promise<void> {
    await this.#sealSent;
    await this.writer.index(block);
  }

  /** Resolves when the fragment is safe; `finish` waits for the last one. */
  async seal(fragment: FragmentSeal): Promise<void> {
    const sealed = this.#named().then((dataDigest) => ({
      // Begun here, and not awaited: `#sealSent` is about its way.
      safe: this.writer.seal({ ...fragment, dataDigest }),
    }));
    this.#sealSent = sealed;
    const { safe } = await sealed;
    await safe;
  }

  async finish(totals: ImageTotals): Promise<void> {
    await this.writer.finish(totals);
  }

  async #take(chunks: readonly NamedChunk[]): Promise<void> {
    for (const { id, length } of chunks) {
      await this.#courier.add({ id, length, pieces: this.#pieces.take(length) });
    }
  }

  /** Names the last of the fragment's chunks. @returns the digest of its data */
  async #named(): Promise<string> {
    const dataDigest = this.#dataDigest;
    assert(dataDigest !== undefined, 'a fragment is sealed before its chunks have ended');
    this.#dataDigest = undefined;
    await this.#courier.flush();
    return dataDigest;
  }
}
