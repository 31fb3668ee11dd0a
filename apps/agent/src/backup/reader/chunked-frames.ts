import { rawFrameBytes } from '#archive/frames/raw-frame.js';

import { FragmentProgress } from '../../domain/fragment-progress.js';
import { ChunkCutter } from '../chunks/chunk-cutter.js';
import type { RawFrameFacts, ReaderChunking, ReaderMessage } from '../reader-messages.js';

type FragmentEnd = Extract<ReaderMessage, { type: 'fragment' }>;

/**
 * What the reading thread finds out of raw frames while they are in the processor's cache. It cuts anew with each
 * fragment, and knows where those end as the other side does: by `FragmentProgress`.
 */
export class ChunkedFrames {
  readonly #cutter: ChunkCutter;
  readonly #progress: FragmentProgress;

  constructor({ frameBytes, fragmentBytesMax, start }: ReaderChunking) {
    this.#cutter = new ChunkCutter(start);
    this.#progress = new FragmentProgress(frameBytes, fragmentBytesMax);
  }

  /** A raw frame with its BLAKE3, and what is said with it. */
  frame(
    { frame, digest, bytes }: { frame: Buffer; digest: Buffer; bytes: number },
    { index, pending }: { index: Uint8Array; pending: string },
  ): RawFrameFacts {
    this.#progress.frame(rawFrameBytes(bytes), index, pending);
    // A copy: else all that its memory is shared with would go to the other thread with it.
    return { digest: new Uint8Array(digest), chunks: this.#cutter.frame(frame, bytes) };
  }

  /** Index lines that are said on their own. */
  lines(text: Uint8Array): void {
    this.#progress.lines(text);
  }

  /** Behind each frame. @returns undefined: the fragment goes on */
  end(entryLeft: number, isLast = false): FragmentEnd | undefined {
    const { isFull, frames } = this.#progress;
    if (!isFull && (!isLast || frames === 0)) return undefined;
    this.#progress.cut();
    return { type: 'fragment', ...this.#cutter.end(entryLeft) };
  }
}
