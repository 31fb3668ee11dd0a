import { ArchiveReader } from './archive-reader.js';
import type { ChainImage } from './chain-image.js';

/** A chain may be longer; those that were not read for the longest time are opened again when they are needed. */
const READERS_MAX = 8;

/** Readers of the images of a chain: of a few at once, which hold frames and open fragments. */
export class ArchiveReaders {
  /** What was used last is last. */
  private readonly readers = new Map<number, ArchiveReader>();

  constructor(
    private readonly open: (image: number) => ChainImage,
    /** See `ArchiveReader`. */
    private readonly framesAhead: number,
  ) {}

  async of(image: number): Promise<ArchiveReader> {
    const reader = this.readers.get(image) ?? new ArchiveReader(this.open(image), this.framesAhead);
    this.readers.delete(image);
    this.readers.set(image, reader);
    for (const [oldest, unused] of this.readers) {
      if (this.readers.size <= READERS_MAX) break;
      this.readers.delete(oldest);
      await unused.close();
    }
    return reader;
  }

  /** Never throws. */
  async close(): Promise<void> {
    for (const reader of this.readers.values()) await reader.close();
    this.readers.clear();
  }
}
