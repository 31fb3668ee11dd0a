import { blake3 } from '#kernel/blake3.js';

import type { MadeFrame } from '#archive/frames/frame-maker.js';
import { encodeFrameTable, type FrameRecord } from '#archive/frames/frame-table.js';
import { INDEX_FRAME_BYTES_MAX } from '#archive/index-line.js';
import { assert } from '#kernel/assert.js';

import { FragmentProgress } from '../domain/fragment-progress.js';

import { compress } from '#archive/frames/zstd.js';
import type { NamedChunk } from '#transfer/chunk-messages.js';
import type { CheckpointFile } from './checkpoint-file.js';
import type { FragmentSink, ImageTotals } from './fragment-sink.js';
import type { ReaderState } from './reader-state.js';

/** A buffer of the archive, as a frame, with the index text that came with it. */
export interface StoredFrame extends Pick<MadeFrame, 'pieces' | 'bytes' | 'digest'> {
  readonly archiveLength: number;
  /** See `DataFrame`. */
  readonly gone: () => void;
  readonly chunks?: readonly NamedChunk[] | undefined;
  readonly index: Uint8Array;
  /** See `ReaderMessage`. */
  readonly pending: string;
  readonly state: ReaderState;
  readonly links: string;
}

export interface ArchiveStreamParts {
  readonly sink: FragmentSink;
  readonly checkpoints: Pick<CheckpointFile, 'addLinks' | 'write'>;
  /** Archive bytes of each frame but the last. */
  readonly frameBytes: number;
  /** Fragments that are there already, and the archive bytes in them. */
  readonly done?: { readonly fragments: number; readonly archiveBytes: number };
}

/**
 * Divides an archive that comes frame by frame into fragments and hands them to a sink, with their indexes. It is
 * decided after each frame whether a further one is sure to fit, so that index lines always
 * have a fragment to go to. Its calls must not overlap.
 */
export class ArchiveStream {
  fragments: number;
  /** Bytes of data frames that were handed over to this sink. */
  storedBytes = 0;

  #offset: number;
  #fragment = new OpenFragment();
  readonly #progress: FragmentProgress;
  #state: ReaderState | undefined;
  readonly #text = Buffer.allocUnsafeSlow(INDEX_FRAME_BYTES_MAX);
  #textUsed = 0;
  #sealing: Promise<void> = Promise.resolve();

  constructor(private readonly parts: ArchiveStreamParts) {
    this.fragments = parts.done?.fragments ?? 0;
    this.#offset = parts.done?.archiveBytes ?? 0;
    this.#progress = new FragmentProgress(
      parts.frameBytes,
      parts.sink.fragmentBytesMax,
      this.fragments + 1,
    );
  }

  async frame(frame: StoredFrame): Promise<void> {
    const { sink, checkpoints } = this.parts;
    if (this.#progress.isFull) await this.#cut(false);
    this.#state = frame.state;
    await checkpoints.addLinks(frame.links);
    this.#fragment.add(frame);
    this.storedBytes += frame.bytes;
    const lines = this.#progress.frame(frame.bytes, frame.index, frame.pending);
    const { archiveLength, pieces, digest, gone, chunks } = frame;
    await sink.frame({ archiveLength, pieces, digest, gone, chunks });
    await this.#addText(lines);
  }

  /** @param text whole index lines of entries before the end of the last frame, or of no entry */
  async index(text: Uint8Array): Promise<void> {
    if (text.length === 0) return;
    if (this.#progress.isFull) await this.#cut(false);
    await this.#addText(this.#progress.lines(text));
  }

  /** Ends the last fragment, and the image. Resolves when the sink says that it is complete. */
  async finish(totals: Omit<ImageTotals, 'fragments'>): Promise<void> {
    // Without a frame: the whole archive was there already, and only the end was not heard of.
    if (this.#state) await this.#cut(true);
    await this.#sealing;
    await this.parts.sink.finish({ ...totals, fragments: this.fragments });
  }

  async #cut(last: boolean): Promise<void> {
    const { sink, checkpoints } = this.parts;
    const state = this.#state;
    assert(state, 'a fragment without a frame is cut');
    await this.#addText(this.#progress.cut());
    await this.#flushText();
    const fragment = this.#fragment;
    const table = encodeFrameTable(fragment.frames);
    await sink.index({ bytes: table, digest: blake3(table) });
    // What the catalog may come to know, the agent can go on behind.
    await Promise.all([this.#sealing, checkpoints.write(this.fragments + 1, state)]);
    this.fragments++;
    this.#sealing = sink.seal({
      number: this.fragments,
      archiveOffset: this.#offset,
      archiveBytes: fragment.archiveBytes,
      frames: fragment.frames.length,
      last,
    });
    // Whoever comes next waits for it and gets the error; until then it is nobody's.
    this.#sealing.catch(() => undefined);
    this.#offset += fragment.archiveBytes;
    this.#fragment = new OpenFragment();
  }

  async #addText(lines: Uint8Array): Promise<void> {
    for (let at = 0; at < lines.length;) {
      if (this.#textUsed + lines.length - at > INDEX_FRAME_BYTES_MAX) await this.#flushText();
      const end = Math.min(lines.length, at + INDEX_FRAME_BYTES_MAX);
      const whole = lines.lastIndexOf(0x0a, end - 1) + 1;
      this.#text.set(lines.subarray(at, whole), this.#textUsed);
      this.#textUsed += whole - at;
      at = whole;
    }
  }

  async #flushText(): Promise<void> {
    if (this.#textUsed === 0) return;
    const bytes = await compress(this.#text.subarray(0, this.#textUsed), INDEX_LEVEL);
    this.#textUsed = 0;
    await this.parts.sink.index({ bytes, digest: blake3(bytes) });
  }
}

const INDEX_LEVEL = 3;

class OpenFragment {
  readonly frames: FrameRecord[] = [];
  archiveBytes = 0;

  add({ bytes, archiveLength, digest }: StoredFrame): void {
    this.frames.push({ storedBytes: bytes, archiveBytes: archiveLength, digest });
    this.archiveBytes += archiveLength;
  }
}
