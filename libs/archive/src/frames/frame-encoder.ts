import { freeBytes } from '#kernel/free-bytes.js';
import { compress } from './zstd.js';
import { rawFrameBytes, rawFramePieces } from './raw-frame.js';

/** Above this share of its bytes a frame is not worth the time that it took. */
const WORTH_MAX = 0.97;
/** What is looked at of a frame: pieces from its beginning, its middle and its end. */
const SAMPLE_PIECE_BYTES = 32 * 1024;
const SAMPLE_PIECES = 3;
/** Smaller frames are compressed in any case: a sample would cost as much. */
const SAMPLED_BYTES_MIN = 4 * SAMPLE_PIECES * SAMPLE_PIECE_BYTES;
const SAMPLE_LEVEL = 1;

/** A frame as it is stored: its pieces, one behind the other. */
export interface EncodedFrame {
  readonly pieces: readonly Buffer[];
  readonly bytes: number;
  /** Pieces are parts of the data: it must not change until they have been used. */
  readonly sharesData: boolean;
}

/**
 * Makes frames of a backup, with as much effort as they are worth. Behind a frame that did not become smaller
 * (an archive, a film, something encrypted) a sample of the next one says whether it is compressed at all;
 * what compresses costs no sample.
 */
export class FrameEncoder {
  /** The frame that ended last did not become smaller. */
  private inVain = false;

  constructor(
    private readonly level: number,
    private readonly squeeze: typeof compress = compress,
  ) {}

  /** One Zstandard frame of `data`, which must not change until then. What is not compressed is not copied either. */
  async encode(data: Buffer): Promise<EncodedFrame> {
    if (this.inVain && data.length >= SAMPLED_BYTES_MIN && !(await this.isWorthIt(data))) {
      const bytes = rawFrameBytes(data.length);
      return { pieces: rawFramePieces(data), bytes, sharesData: true };
    }
    const frame = await this.squeeze(data, this.level);
    this.inVain = frame.length > data.length * WORTH_MAX;
    return { pieces: [frame], bytes: frame.length, sharesData: false };
  }

  private async isWorthIt(data: Buffer): Promise<boolean> {
    const sample = sampleOf(data);
    const squeezed = await this.squeeze(sample, SAMPLE_LEVEL);
    const isWorthIt = squeezed.length <= sample.length * WORTH_MAX;
    // Else the whole heap would be marked for a hundred of them.
    freeBytes(sample);
    freeBytes(squeezed);
    return isWorthIt;
  }
}

function sampleOf(data: Buffer): Buffer {
  const step = Math.floor((data.length - SAMPLE_PIECE_BYTES) / (SAMPLE_PIECES - 1));
  const pieces = Array.from({ length: SAMPLE_PIECES }, (_, n) =>
    data.subarray(n * step, n * step + SAMPLE_PIECE_BYTES),
  );
  return Buffer.concat(pieces);
}
