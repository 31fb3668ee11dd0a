const MAGIC = 0xfd2fb528;
const BLOCK_BYTES_MAX = 128 * 1024;
const DICTIONARY_ID_BYTES = [0, 1, 2, 4] as const;
const CONTENT_SIZE_BYTES = [0, 2, 4, 8] as const;
const RAW = 0;
const RUN = 1;
const RESERVED = 3;
/**
 * Compressors cut blocks shorter than they may be: Zstandard 1.5 makes up to 196 of one at levels from 16 on
 * (`ZSTD_MAX_NB_BLOCK_SPLITS`). What is above this was never made by one.
 */
const SLACK = 200;

/**
 * True if these bytes are one Zstandard frame (RFC 8878, 3.1.1) and nothing else, which can come to
 * about `bytes` at most and states no other size: then it may be decompressed without fear for the
 * memory. What it really comes to is to be looked at afterwards.
 */
export function isFrameOf(stored: Buffer, bytes: number): boolean {
  if (stored.length < 9 || stored.readUInt32LE(0) !== MAGIC) return false;
  const descriptor = stored[4]!;
  const isSingleSegment = (descriptor & 0x20) !== 0;
  const sizeFlag = descriptor >> 6;
  const sizeBytes = sizeFlag === 0 && isSingleSegment ? 1 : CONTENT_SIZE_BYTES[sizeFlag]!;
  const sizeAt = 5 + (isSingleSegment ? 0 : 1) + DICTIONARY_ID_BYTES[descriptor & 3]!;
  const at = sizeAt + sizeBytes;
  if (at > stored.length) return false;
  if (sizeBytes > 0 && statedSize(stored.subarray(sizeAt, at)) !== bytes) return false;
  const blocks = walkBlocks(stored, at);
  if (!blocks || blocks.comesToMax > SLACK * bytes + BLOCK_BYTES_MAX) return false;
  return blocks.end + ((descriptor & 0x04) === 0 ? 0 : 4) === stored.length;
}

function statedSize(field: Buffer): number {
  switch (field.length) {
    case 1:
      return field[0]!;
    case 2:
      return field.readUInt16LE(0) + 256;
    case 4:
      return field.readUInt32LE(0);
    default:
      return Number(field.readBigUInt64LE(0));
  }
}

/** Undefined if it is damaged. */
function walkBlocks(stored: Buffer, from: number): { end: number; comesToMax: number } | undefined {
  let comesToMax = 0;
  for (let at = from; at + 3 <= stored.length;) {
    const header = stored.readUIntLE(at, 3);
    const [kind, size] = [(header >>> 1) & 3, header >>> 3];
    if (kind === RESERVED || size > BLOCK_BYTES_MAX) return undefined;
    comesToMax += kind === RAW || kind === RUN ? size : BLOCK_BYTES_MAX;
    at += 3 + (kind === RUN ? 1 : size);
    if ((header & 1) === 1) return { end: at, comesToMax };
  }
  return undefined;
}
