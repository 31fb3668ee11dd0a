import { CorruptIndex } from './corrupt-index.js';

const ZSTD_MAGIC = 0xfd2fb528;
/** Sixteen of them begin a frame that is to be passed over. */
const SKIPPABLE_MAGIC = 0x184d2a50;
const BLOCK_BYTES_MAX = 128 * 1024;
/** An index frame holds at most 256 KiB of text; some slack for a writer that cuts small blocks. */
const BLOCKS_MAX = 16;

const DICTIONARY_ID_BYTES = [0, 1, 2, 4] as const;
const CONTENT_SIZE_BYTES = [0, 2, 4, 8] as const;

/**
 * Cuts a stream into its Zstandard frames, without decompressing any, and passes over skippable
 * ones (the frame table). Holds at most one frame. A frame that could decompress to more than
 * 2 MiB is refused, so that a damaged or hostile index cannot fill the memory.
 */
export class ZstdFrames {
  private pending: Buffer = Buffer.alloc(0);
  private toSkip = 0;

  /** The frames that are whole now. @throws CorruptIndex where no frame begins. */
  push(chunk: Buffer): Buffer[] {
    this.pending = this.pending.length === 0 ? chunk : Buffer.concat([this.pending, chunk]);
    const frames: Buffer[] = [];
    for (;;) {
      this.skip();
      if (this.toSkip > 0 || this.pending.length < 8) return frames;
      if ((this.pending.readUInt32LE(0) & 0xfffffff0) >>> 0 === SKIPPABLE_MAGIC) {
        this.toSkip = 8 + this.pending.readUInt32LE(4);
        continue;
      }
      const length = frameLength(this.pending);
      if (length === undefined || length > this.pending.length) return frames;
      frames.push(this.pending.subarray(0, length));
      this.pending = this.pending.subarray(length);
    }
  }

  /** @throws CorruptIndex where the stream ends inside a frame. */
  end(): void {
    if (this.pending.length > 0 || this.toSkip > 0) {
      throw new CorruptIndex('it ends in the middle of a frame');
    }
  }

  private skip(): void {
    const bytes = Math.min(this.toSkip, this.pending.length);
    if (bytes === 0) return;
    this.pending = this.pending.subarray(bytes);
    this.toSkip -= bytes;
  }
}

/** Bytes of the frame that begins here (RFC 8878, 3.1.1); undefined while too little is there. */
function frameLength(bytes: Buffer): number | undefined {
  if (bytes.readUInt32LE(0) !== ZSTD_MAGIC) throw new CorruptIndex('no Zstandard frame begins');
  const descriptor = bytes[4]!;
  const contentSizeFlag = descriptor >> 6;
  const isSingleSegment = (descriptor & 0x20) !== 0;
  const hasChecksum = (descriptor & 0x04) !== 0;
  const contentSizeBytes =
    contentSizeFlag === 0 && isSingleSegment ? 1 : CONTENT_SIZE_BYTES[contentSizeFlag]!;
  let at = 5 + (isSingleSegment ? 0 : 1) + DICTIONARY_ID_BYTES[descriptor & 3]! + contentSizeBytes;
  for (let blocks = 1; ; blocks += 1) {
    if (blocks > BLOCKS_MAX) throw new CorruptIndex('a frame is too large');
    if (at + 3 > bytes.length) return undefined;
    const header = bytes.readUIntLE(at, 3);
    const size = header >>> 3;
    const kind = (header >>> 1) & 3;
    if (kind === 3 || size > BLOCK_BYTES_MAX) throw new CorruptIndex('a block is damaged');
    // Kind 1 is one byte that stands for `size` of them.
    at += 3 + (kind === 1 ? 1 : size);
    if ((header & 1) === 1) return at + (hasChecksum ? 4 : 0);
  }
}
