import { Blake3Hasher } from '@napi-rs/blake-hash';
import { encodeSeekTable, type FrameSize } from './seek-table.js';

/** The digest of a fragment's data: frames, and behind them their seek table. */
export class FragmentDataHash {
  private readonly hash = new Blake3Hasher();
  private frames: FrameSize[] = [];

  add(pieces: readonly Buffer[], size: FrameSize): void {
    for (const piece of pieces) this.hash.update(piece);
    this.frames.push(size);
  }

  /** BLAKE3 (hex). What is added next is another fragment's. */
  end(): string {
    const digest = this.hash.update(encodeSeekTable(this.frames)).digest('hex');
    this.hash.reset();
    this.frames = [];
    return digest;
  }
}
