import { FragmentProgress } from '../../domain/fragment-progress.js';
import type { KnownCuts } from '#archive/chunking/known-cuts.js';

import { loadKnownCuts, saveKnownCuts } from '../chunks/known-cuts-file.js';
import { ChunkCutter, type PackedChunks } from '../chunks/chunk-cutter.js';
import type { ReaderChunking, ReaderMessage } from '../reader-messages.js';

type FragmentEnd = Extract<ReaderMessage, { type: 'fragment' }>;

/**
 * What the reading thread finds out of raw frames while they are in the processor's cache. It cuts anew with each
 * fragment, and knows where those end as the other side does: by `FragmentProgress`.
 */
export class ChunkedFrames {
  readonly #cuts: KnownCuts;
  readonly #cutter: ChunkCutter;
  readonly #progress: FragmentProgress;

  constructor(private readonly chunking: ReaderChunking) {
    const { frameBytes, fragmentBytesMax, nextFragment, start } = chunking;
    this.#cuts = loadKnownCuts(chunking.knownCutsPath);
    this.#cutter = new ChunkCutter(start, this.#cuts);
    this.#progress = new FragmentProgress(frameBytes, fragmentBytesMax, nextFragment);
  }

  /** A raw frame, and what is said with it. @returns the chunks that it ends */
  frame(frame: Buffer, { index, pending }: { index: Uint8Array; pending: string }): PackedChunks {
    this.#progress.frame(frame.length, index, pending);
    return this.#cutter.frame(frame);
  }

  /** Index lines that are said on their own. */
  lines(text: Uint8Array): void {
    this.#progress.lines(text);
  }

  /** Behind each frame. @returns undefined: the fragment goes on, or ended with the frame before */
  end(entryLeft: number, isLast = false): FragmentEnd | undefined {
    const fragment = this.#endFragment(entryLeft, isLast);
    if (isLast) saveKnownCuts(this.chunking.knownCutsPath, this.#cuts);
    return fragment;
  }

  #endFragment(entryLeft: number, isLast: boolean): FragmentEnd | undefined {
    const { isFull, frames } = this.#progress;
    if (!isFull && (!isLast || frames === 0)) return undefined;
    this.#progress.cut();
    return { type: 'fragment', ...this.#cutter.end(entryLeft) };
  }
}
