import type { FragmentWriterClient } from '#transfer/fragment-writer-client.js';
import type {
  DataFrame,
  DigestedBytes,
  FragmentSeal,
  FragmentSink,
  ImageTotals,
} from './backup/fragment-sink.js';

/** Sends a backup's fragments to the media server. */
export class TransferSink implements FragmentSink {
  constructor(private readonly writer: FragmentWriterClient) {}

  get fragmentBytesMax(): number {
    return this.writer.ready.fragmentBytesMax;
  }

  frame(frame: DataFrame): Promise<void> {
    return this.writer.frame(frame);
  }

  index(block: DigestedBytes): Promise<void> {
    return this.writer.index(block);
  }

  /** Resolves when the fragment before this one is safe; `finish` waits for the last one. */
  seal(fragment: FragmentSeal): Promise<void> {
    return this.writer.seal(fragment);
  }

  finish(totals: ImageTotals): Promise<void> {
    return this.writer.finish(totals);
  }
}
