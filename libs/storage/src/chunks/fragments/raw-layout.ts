import { rawFrameBytes } from '#archive/frames/raw-frame.js';
import { encodeSeekTable, seekTableBytes } from '#archive/frames/seek-table.js';
import { InvalidInput } from '#kernel/errors.js';

export const FRAME_BYTES_MIN = 4 * 1024;
export const FRAME_BYTES_MAX = 4 * 1024 * 1024;
/** The seek table of so many takes 8 MiB. */
const FRAMES_MAX = 1024 * 1024;

export interface RawFramePlace {
  readonly storedAt: number;
  readonly archiveAt: number;
  readonly archiveBytes: number;
}

/** Where archive bytes lie in the data that they make as raw frames with a seek table behind them. */
export class RawLayout {
  readonly frames: number;
  readonly framesBytes: number;
  private readonly fullBytes: number;
  private readonly lastArchiveBytes: number;

  /** Throws `InvalidInput` for what `isFrameBytes` is not, and for too many frames. */
  constructor(
    archiveBytes: number,
    private readonly frameBytes: number,
  ) {
    if (!isFrameBytes(frameBytes)) throw new InvalidInput('is no size of frames', 'frameBytes');
    this.frames = Math.ceil(archiveBytes / frameBytes);
    if (this.frames > FRAMES_MAX) throw new InvalidInput('makes too many frames', 'frameBytes');
    this.fullBytes = rawFrameBytes(frameBytes);
    this.lastArchiveBytes = archiveBytes - (this.frames - 1) * frameBytes;
    this.framesBytes =
      this.frames === 0
        ? 0
        : (this.frames - 1) * this.fullBytes + rawFrameBytes(this.lastArchiveBytes);
  }

  /** Of all the data. */
  get bytes(): number {
    return this.framesBytes + seekTableBytes(this.frames);
  }

  /** The frame that this byte of the data is in, which lies before the seek table. */
  frameAt(offset: number): RawFramePlace {
    const frame = Math.floor(offset / this.fullBytes);
    return {
      storedAt: frame * this.fullBytes,
      archiveAt: frame * this.frameBytes,
      archiveBytes: this.archiveBytesOf(frame),
    };
  }

  seekTable(): Buffer {
    const sizes = Array.from({ length: this.frames }, (_, frame) => {
      const archiveBytes = this.archiveBytesOf(frame);
      return { storedBytes: rawFrameBytes(archiveBytes), archiveBytes };
    });
    return encodeSeekTable(sizes);
  }

  private archiveBytesOf(frame: number): number {
    return frame === this.frames - 1 ? this.lastArchiveBytes : this.frameBytes;
  }
}

export function isFrameBytes(bytes: number): boolean {
  return Number.isInteger(bytes) && bytes >= FRAME_BYTES_MIN && bytes <= FRAME_BYTES_MAX;
}
