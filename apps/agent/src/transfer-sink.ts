import { FragmentWriterClient } from '#transfer/fragment-writer-client.js';
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

  frame({ archiveLength, digest, bytes }: DataFrame): Promise<void> {
    return this.writer.frame(archiveLength, digest, bytes);
  }

  index({ bytes }: DigestedBytes): Promise<void> {
    return this.writer.index(bytes);
  }

  /** Resolves when the fragment before this one is safe; `finish` waits for the last one. */
  seal(fragment: FragmentSeal): Promise<void> {
    return this.writer.seal(fragment);
  }

  finish(totals: ImageTotals): Promise<void> {
    return this.writer.finish(totals);
  }
}
