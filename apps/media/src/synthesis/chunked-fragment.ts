import { Blake3Hasher } from '@napi-rs/blake-hash';
import type { ChunkerStart } from '#archive/chunking/tar-chunker.js';
import type { FrameMaker } from '#archive/frames/frame-maker.js';
import type { FrameRecord } from '#archive/frames/frame-table.js';
import { rawFrame, rawFrameContent } from '#archive/frames/raw-frame.js';
import { encodeSeekTable } from '#archive/frames/seek-table.js';
import type { Manifest } from '#archive/manifest.js';
import { freeBytes } from '#kernel/free-bytes.js';
import type { RecipeWriter } from '#storage/chunk-intake.js';
import type { NamedChunk } from '#transfer/chunk-messages.js';
import { ChunkCourier } from '#transfer/chunks/chunk-courier.js';
import { FramesInUse } from '#transfer/chunks/frames-in-use.js';
import { FragmentChunks } from '#transfer/chunks/fragment-chunks.js';
import { Pieces } from '#transfer/chunks/pieces.js';
import { CHUNKS_READY, type ChunkReceiver } from '../sessions/chunk-receiver.js';
import type { ContentSummary } from '../sessions/open-fragment.js';
import { OpenIndex } from '../sessions/open-index.js';
import type { FrameCoder, SyntheticFragment } from './synthetic-archive.js';

/** How the frames of a `ChunkedFragment` are made. */
export const RAW_FRAMES: FrameCoder = {
  encode: (data) => {
    const frame = rawFrame(data);
    return Promise.resolve({ pieces: [frame], bytes: frame.length, sharesData: false });
  },
  takesStored: false,
};

/**
 * A fragment of a synthetic full on a volume that deduplicates. It is given raw frames, which are its data for every
 * reader, and cuts them as an agent cuts a backup: so the volume has most of its chunks already, and takes the others.
 */
export class ChunkedFragment implements SyntheticFragment {
  readonly frames: FrameRecord[] = [];
  storedBytes = 0;
  archiveBytes = 0;
  private readonly lines: OpenIndex;
  private readonly dataHash = new Blake3Hasher();
  private readonly cutter: FragmentChunks;
  private readonly courier: ChunkCourier;
  private readonly inUse = new FramesInUse();
  /** What no chunk was taken of yet. */
  private readonly pieces = new Pieces();

  constructor(
    private readonly writer: RecipeWriter,
    private readonly receiver: ChunkReceiver,
    { start, frames }: { readonly start: ChunkerStart; readonly frames: FrameMaker },
  ) {
    this.cutter = new FragmentChunks(start);
    this.courier = new ChunkCourier(
      {
        ask: (ids) => receiver.known(ids),
        chunks: (frame) => receiver.take(frame),
        recipe: (chunks) => receiver.name(writer, chunks),
      },
      frames,
      { idsPerAskMax: CHUNKS_READY.idsPerAskMax, onSettled: (bytes) => this.inUse.settled(bytes) },
    );
    this.lines = new OpenIndex((pieces) => receiver.inTurn(() => writer.writeIndex(pieces)));
  }

  get name(): RecipeWriter['name'] {
    return this.writer.name;
  }

  get smallIndex(): Buffer | undefined {
    return this.lines.smallIndex;
  }

  /** Takes a raw frame, whose memory is given back when it is not looked at any more. */
  async addFrame(frame: FrameRecord, pieces: readonly Buffer[]): Promise<void> {
    this.frames.push(frame);
    this.inUse.add(frame.archiveBytes, () => pieces.forEach(freeBytes));
    this.storedBytes += frame.storedBytes;
    this.archiveBytes += frame.archiveBytes;
    for (const piece of pieces) {
      this.dataHash.update(piece);
      for (const content of rawFrameContent(piece)) {
        this.pieces.push(content);
        await this.bring(this.cutter.push(content));
      }
    }
  }

  addIndex(block: Buffer): Promise<void> {
    return this.lines.add(block);
  }

  async complete(): Promise<ContentSummary> {
    await this.bring(this.cutter.end());
    await this.courier.flush();
    const seekTable = encodeSeekTable(this.frames);
    return {
      archiveBytes: this.archiveBytes,
      storedBytes: this.storedBytes + seekTable.length,
      digest: this.dataHash.update(seekTable).digest('hex'),
      indexBytes: this.lines.indexBytes,
      indexDigest: this.lines.digest(),
      frames: this.frames.length,
    };
  }

  seal(manifest: Manifest): Promise<void> {
    return this.receiver.inTurn(() => this.writer.seal(manifest));
  }

  /** Takes back what was written. What is on its way comes to its end first: nothing may follow. */
  async discard(): Promise<boolean> {
    await this.courier.giveUp();
    return this.receiver.inTurn(() => this.writer.discard());
  }

  private async bring(chunks: readonly NamedChunk[]): Promise<void> {
    for (const { id, length } of chunks) {
      await this.courier.add({ id, length, pieces: this.pieces.take(length) });
    }
  }
}
