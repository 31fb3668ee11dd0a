import { decompress } from '#archive/frames/zstd.js';
import { FragmentDamaged } from '#storage/errors.js';
import type { ChainImage, FramePlace } from './chain-image.js';

/** Frames (1 MiB each) that are on their way while one is worked on. */
const FRAMES_AHEAD = 3;

/** Reads the archive of one image of a chain, mostly from its beginning to its end. */
export class ArchiveReader {
  private readonly loading = new Map<number, Promise<Buffer>>();
  private unpacked: { readonly at: number; readonly bytes: Buffer } | undefined;

  constructor(private readonly image: ChainImage) {}

  frameAt(archiveOffset: number): Promise<FramePlace> {
    return this.image.frameAt(archiveOffset);
  }

  /** The frame as it is stored. */
  stored(place: FramePlace): Promise<Buffer> {
    const bytes = this.load(place);
    let next = this.image.nextTo(place);
    for (let n = 0; n < FRAMES_AHEAD && next; n += 1) {
      void this.load(next);
      next = this.image.nextTo(next);
    }
    for (const at of this.loading.keys()) if (at < place.archiveOffset) this.loading.delete(at);
    return bytes;
  }

  /** What the frame holds. */
  async bytes(place: FramePlace): Promise<Buffer> {
    if (this.unpacked?.at === place.archiveOffset) return this.unpacked.bytes;
    const bytes = await decompress(await this.stored(place));
    if (bytes.length !== place.archiveBytes) {
      throw new FragmentDamaged(
        this.image.imageId,
        'has a frame of another size than its table says',
      );
    }
    this.unpacked = { at: place.archiveOffset, bytes };
    return bytes;
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

  private load(place: FramePlace): Promise<Buffer> {
    const known = this.loading.get(place.archiveOffset);
    if (known) return known;
    const loading = this.image.stored(place);
    loading.catch(() => undefined); // It is awaited in its turn, or not wanted any more.
    this.loading.set(place.archiveOffset, loading);
    return loading;
  }
}
