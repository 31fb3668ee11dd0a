import { decompress } from '#archive/frames/zstd.js';
import { isFrameOf } from '#archive/frames/frame-bound.js';
import { messageOf } from '#kernel/errors.js';
import { freeBytes } from '#kernel/free-bytes.js';
import type { ChainImage, FramePlace } from './chain-image.js';

/**
 * Reads the archive of one image of a chain. Memory: the frames (1 MiB each) that it reads ahead, the one that
 * was asked for last, and what that holds.
 */
export class ArchiveReader {
  private readonly loading = new Map<number, Promise<Buffer>>();
  private unpacked: { readonly at: number; readonly bytes: Buffer } | undefined;

  constructor(
    readonly image: Pick<ChainImage, 'frameAt' | 'nextTo' | 'stored' | 'damagedAt' | 'close'>,
    /** Frames that are on their way while one is worked on. For reading backwards: 0. */
    private readonly framesAhead: number,
  ) {}

  frameAt(archiveOffset: number): Promise<FramePlace> {
    return this.image.frameAt(archiveOffset);
  }

  /** The frame as it is stored. */
  stored(place: FramePlace): Promise<Buffer> {
    const bytes = this.load(place);
    const wanted = new Set([place.archiveOffset]);
    let next = this.image.nextTo(place);
    for (let n = 0; n < this.framesAhead && next; n += 1) {
      void this.load(next);
      wanted.add(next.archiveOffset);
      next = this.image.nextTo(next);
    }
    for (const at of this.loading.keys()) if (!wanted.has(at)) this.loading.delete(at);
    return bytes;
  }

  /** What the frame holds. */
  async bytes(place: FramePlace): Promise<Buffer> {
    if (this.unpacked?.at === place.archiveOffset) return this.unpacked.bytes;
    const bytes = await this.unpack(place, await this.stored(place));
    this.unpacked = { at: place.archiveOffset, bytes };
    return bytes;
  }

  /** Gives back the memory of what `bytes` has given last: nobody may look at it any more. */
  letGo(): void {
    if (this.unpacked) freeBytes(this.unpacked.bytes);
    this.unpacked = undefined;
  }

  /** A range of the archive in pieces. */
  async *range(offset: number, length: number): AsyncGenerator<Buffer, void, undefined> {
    for (let at = offset; at < offset + length;) {
      const place = await this.frameAt(at);
      const bytes = await this.bytes(place);
      const piece = bytes.subarray(at - place.archiveOffset, offset + length - place.archiveOffset);
      yield piece;
      at += piece.length;
    }
  }

  /** Never throws. */
  close(): Promise<void> {
    return this.image.close();
  }

  private async unpack({ archiveOffset, archiveBytes }: FramePlace, stored: Buffer) {
    // Before it is unpacked: a few bytes can come to gigabytes.
    if (isFrameOf(stored, archiveBytes)) {
      const bytes = await decompress(stored).catch((error: unknown) => {
        throw this.image.damagedAt(
          archiveOffset,
          `a frame cannot be unpacked: ${messageOf(error)}`,
        );
      });
      this.loading.delete(archiveOffset);
      freeBytes(stored);
      if (bytes.length === archiveBytes) return bytes;
    }
    throw this.image.damagedAt(archiveOffset, 'a frame has another size than its table says');
  }

  private load(place: FramePlace): Promise<Buffer> {
    const known = this.loading.get(place.archiveOffset);
    if (known) return known;
    const loading = this.image.stored(place);
    loading.catch(() => undefined); // It is awaited in its turn, or not wanted any more.
    this.loading.set(place.archiveOffset, loading);
    return loading;
  }
}
