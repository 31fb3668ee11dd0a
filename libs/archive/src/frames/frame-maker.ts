import { blake3 } from '#kernel/blake3.js';
import { copyBytes } from '#kernel/copy-bytes.js';
import { freeBytes } from '#kernel/free-bytes.js';
import { FrameEncoder } from './frame-encoder.js';
import { FragmentDataHash } from './fragment-data-hash.js';
import { rawFrameBytes, rawFramePieces } from './raw-frame.js';

/** How a frame lies in the memory of the data that it was made of. */
export interface FrameFacts {
  /** Of the whole frame. */
  readonly bytes: number;
  /** BLAKE3 (32 bytes) of the whole frame. */
  readonly digest: Buffer;
  /** Where it lies: from the beginning, or around the data, which was left where it was. */
  readonly lies: 'whole' | 'around';
}

/** A Zstandard frame, in pieces that lie one behind the other when they are stored. */
export interface MadeFrame extends FrameFacts {
  readonly pieces: readonly Buffer[];
}

/** Makes the frames of a backup, and takes their digests. */
export interface FrameMaker {
  /**
   * One frame of the first `length` bytes of a memory, with as much effort as it is worth (`FrameEncoder`). It takes
   * their place, so the memory belongs to it until nobody looks at its pieces any more. Several may be made at once,
   * each in a memory of its own.
   */
  make(memory: Buffer, length: number): Promise<MadeFrame>;
  /** The raw frame (`writeRawHeaders`) of `length` bytes that a memory holds already: the next one of a fragment's data. */
  raw(memory: Buffer, length: number): Promise<MadeFrame>;
  /** Ends that data with its seek table. @returns its BLAKE3 (hex) */
  endData(): Promise<string>;
}

/** Makes frames on the calling thread, but for what Zstandard does. */
export class FramesHere implements FrameMaker {
  private readonly encoder: FrameEncoder;
  private readonly data = new FragmentDataHash();

  /** @param level 1 (fastest) to 19 */
  constructor(level: number) {
    this.encoder = new FrameEncoder(level);
  }

  async make(memory: Buffer, length: number): Promise<MadeFrame> {
    const data = memory.subarray(0, length);
    const { pieces, bytes, sharesData } = await this.encoder.encode(data);
    if (sharesData) return { pieces, bytes, digest: blake3(pieces), lies: 'around' };
    const [frame] = pieces;
    if (bytes <= length) copyBytes(frame!, memory, 0);
    freeBytes(frame!);
    return bytes <= length ? wholeFrame(memory, bytes) : frameAround(data);
  }

  raw(memory: Buffer, length: number): Promise<MadeFrame> {
    const frame = wholeFrame(memory, rawFrameBytes(length));
    this.data.add(frame.pieces, { storedBytes: frame.bytes, archiveBytes: length });
    return Promise.resolve(frame);
  }

  endData(): Promise<string> {
    return Promise.resolve(this.data.end());
  }
}

/** The pieces of a frame that was made of the first `length` bytes of this memory. */
export function piecesIn(memory: Buffer, length: number, { lies, bytes }: FrameFacts): Buffer[] {
  const isWhole = lies === 'whole';
  return isWhole ? [memory.subarray(0, bytes)] : rawFramePieces(memory.subarray(0, length));
}

function wholeFrame(memory: Buffer, bytes: number): MadeFrame {
  const frame = memory.subarray(0, bytes);
  return { pieces: [frame], bytes, digest: blake3(frame), lies: 'whole' };
}

function frameAround(data: Buffer): MadeFrame {
  const pieces = rawFramePieces(data);
  return { pieces, bytes: rawFrameBytes(data.length), digest: blake3(pieces), lies: 'around' };
}
