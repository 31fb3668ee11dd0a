import { rawFrameBytes, rawFrameParts } from '#archive/frames/raw-frame.js';
import { encodeSeekTable, seekTableBytes } from '#archive/frames/seek-table.js';
import { InvalidInput } from '#kernel/errors.js';

export const FRAME_BYTES_MIN = 4 * 1024;
export const FRAME_BYTES_MAX = 4 * 1024 * 1024;
/** The seek table of so many takes 8 MiB. */
const FRAMES_MAX = 1024 * 1024;

/** A part of the data: bytes that are `made`, or archive bytes from `archiveAt` on. */
export interface LaidPart {
  /** In what was asked for. */
  readonly at: number;
  readonly bytes: number;
  readonly made?: Buffer;
  readonly archiveAt: number;
}

/** Where archive bytes lie in the data that they make as raw frames with a seek table behind them. */
export class RawLayout {
  readonly frames: number;
  readonly framesBytes: number;
  private readonly fullBytes: number;
  private readonly lastArchiveBytes: number;
  private table: Buffer | undefined;

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

  /** What a range of the data, which must be in it, is made of. */
  *parts(offset: number, length: number): Iterable<LaidPart> {
    const end = offset + length;
    for (const part of this.partsFrom(offset)) {
      const from = Math.max(offset, part.storedAt);
      const to = Math.min(end, part.storedAt + part.bytes);
      if (from >= end) return;
      if (from >= to) continue;
      const skipped = from - part.storedAt;
      const bytes = to - from;
      const made = part.made?.subarray(skipped, skipped + bytes);
      const archiveAt = part.archiveAt + skipped;
      yield { at: from - offset, bytes, archiveAt, ...(made && { made }) };
    }
  }

  /** All parts from the frame on in which a byte is. */
  private *partsFrom(
    offset: number,
  ): Iterable<{ storedAt: number; bytes: number; made?: Buffer; archiveAt: number }> {
    for (let frame = Math.floor(offset / this.fullBytes); frame < this.frames; frame += 1) {
      let storedAt = frame * this.fullBytes;
      let archiveAt = frame * this.frameBytes;
      for (const { header, bytes } of rawFrameParts(this.archiveBytesOf(frame))) {
        yield { storedAt, bytes: header.length, made: header, archiveAt };
        storedAt += header.length;
        yield { storedAt, bytes, archiveAt };
        storedAt += bytes;
        archiveAt += bytes;
      }
    }
    const table = (this.table ??= this.seekTable());
    yield { storedAt: this.framesBytes, bytes: table.length, made: table, archiveAt: 0 };
  }

  private seekTable(): Buffer {
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
