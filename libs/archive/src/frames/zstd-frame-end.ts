/** Where one Zstandard frame ends (RFC 8878), found from its headers alone. */
export interface ZstdFrame {
  /** Bytes of the frame with its headers and checksum. */
  readonly bytes: number;
  /** What the frame says it holds; undefined where it does not say, 0 for a skippable frame. */
  readonly contentBytes: number | undefined;
  readonly skippable: boolean;
}

const MAGIC = 0xfd2fb528;
const SKIPPABLE_MAGIC = 0x184d2a50;
const SKIPPABLE_MASK = 0xfffffff0;
const BLOCK_TYPE_RLE = 1;
const BLOCK_TYPE_RESERVED = 3;
const DICTIONARY_ID_BYTES = [0, 1, 2, 4] as const;

/**
 * The frame that begins at `at`, or undefined when more bytes are needed to tell.
 * @throws Error if no frame begins there, or its blocks are damaged.
 */
export function zstdFrameAt(bytes: Buffer, at: number): ZstdFrame | undefined {
  if (at + 8 > bytes.length) return undefined;
  const magic = bytes.readUInt32LE(at);
  if ((magic & SKIPPABLE_MASK) >>> 0 === SKIPPABLE_MAGIC) {
    return { bytes: 8 + bytes.readUInt32LE(at + 4), contentBytes: 0, skippable: true };
  }
  if (magic !== MAGIC) throw new Error('No Zstandard frame begins here');
  const descriptor = bytes[at + 4]!;
  const single = (descriptor & 0x20) !== 0;
  const sizeFlag = descriptor >> 6;
  const sizeBytes = sizeFlag === 0 ? (single ? 1 : 0) : 1 << sizeFlag;
  const sizeAt = at + 5 + (single ? 0 : 1) + DICTIONARY_ID_BYTES[(descriptor & 3) as 0 | 1 | 2 | 3];
  const blocksAt = sizeAt + sizeBytes;
  if (blocksAt > bytes.length) return undefined;
  const contentBytes = contentSize(bytes, sizeAt, sizeBytes);
  const end = endOfBlocks(bytes, blocksAt);
  if (end === undefined) return undefined;
  const checksumBytes = (descriptor & 4) !== 0 ? 4 : 0;
  return { bytes: end + checksumBytes - at, contentBytes, skippable: false };
}

function contentSize(bytes: Buffer, at: number, sizeBytes: number): number | undefined {
  if (sizeBytes === 0) return undefined;
  if (sizeBytes === 8) return Number(bytes.readBigUInt64LE(at));
  const size = bytes.readUIntLE(at, sizeBytes);
  return sizeBytes === 2 ? size + 256 : size;
}

function endOfBlocks(bytes: Buffer, start: number): number | undefined {
  let at = start;
  for (;;) {
    if (at + 3 > bytes.length) return undefined;
    const header = bytes.readUIntLE(at, 3);
    const type = (header >> 1) & 3;
    if (type === BLOCK_TYPE_RESERVED) throw new Error('A Zstandard frame is damaged');
    at += 3 + (type === BLOCK_TYPE_RLE ? 1 : header >> 3);
    if ((header & 1) !== 0) return at;
  }
}
