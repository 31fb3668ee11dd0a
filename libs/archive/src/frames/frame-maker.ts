import { copyBytes } from '#kernel/copy-bytes.js';
import { freeBytes } from '#kernel/free-bytes.js';
import { blake3 } from '#kernel/blake3.js';
import { FrameEncoder } from './frame-encoder.js';
import { rawFrameBytes, rawFramePieces } from './raw-frame.js';

/** How a frame lies in the memory of the data that it was made of. */
export interface FrameFacts {
  /** Of the whole frame. */
  readonly bytes: number;
  /** The data is in it as it was, with headers around its parts. */
  readonly isRaw: boolean;
  /** BLAKE3 (32 bytes) of the whole frame. */
  readonly digest: Buffer;
}

/** A Zstandard frame, in pieces that lie one behind the other when they are stored. */
export interface MadeFrame extends FrameFacts {
  readonly pieces: readonly Buffer[];
}

/** Makes Zstandard frames of a backup, with as much effort as they are worth (`FrameEncoder`). */
export interface FrameMaker {
  /**
   * One frame of the first `length` bytes of a memory. The frame takes their place, so the memory belongs to it until
   * nobody looks at its pieces any more. Several may be made at once, each in a memory of its own.
   */
  make(memory: Buffer, length: number): Promise<MadeFrame>;
}

/** Makes frames on the calling thread, but for what Zstandard does. */
export class FramesHere implements FrameMaker {
  private readonly encoder: FrameEncoder;

  /** @param level 1 (fastest) to 19 */
  constructor(level: number) {
    this.encoder = new FrameEncoder(level);
  }

  async make(memory: Buffer, length: number): Promise<MadeFrame> {
    const data = memory.subarray(0, length);
    const { pieces, bytes, sharesData } = await this.encoder.encode(data);
    if (sharesData) return { ...RAW, pieces, bytes, digest: blake3(...pieces) };
    const [frame] = pieces;
    if (bytes <= length) copyBytes(frame!, memory, 0);
    freeBytes(frame!);
    if (bytes > length) return rawFrameOf(data);
    const made = memory.subarray(0, bytes);
    return { pieces: [made], bytes, isRaw: false, digest: blake3(made) };
  }
}

/** The pieces of a frame that was made of the first `length` bytes of this memory. */
export function piecesIn(memory: Buffer, length: number, { isRaw, bytes }: FrameFacts): Buffer[] {
  return isRaw ? rawFramePieces(memory.subarray(0, length)) : [memory.subarray(0, bytes)];
}

const RAW = { isRaw: true } as const;

function rawFrameOf(data: Buffer): MadeFrame {
  const pieces = rawFramePieces(data);
  return { ...RAW, pieces, bytes: rawFrameBytes(data.length), digest: blake3(...pieces) };
}
