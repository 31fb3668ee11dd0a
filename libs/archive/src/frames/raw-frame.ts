const MAGIC = 0xfd2fb528;
/** A single segment whose size stands in four bytes; no checksum, no dictionary. */
const DESCRIPTOR = 0xa0;
const HEADER_BYTES = 9;
const BLOCK_BYTES_MAX = 128 * 1024;
const BLOCK_HEADER_BYTES = 3;
const LAST_BLOCK = 1;

/** Bytes of the frame that `rawFrame` makes of so many. */
export function rawFrameBytes(dataBytes: number): number {
  return HEADER_BYTES + blocksOf(dataBytes) * BLOCK_HEADER_BYTES + dataBytes;
}

/** A Zstandard frame that holds `data` (below 4 GiB) as it is: raw blocks (RFC 8878, 3.1.1). */
export function rawFrame(data: Buffer): Buffer {
  return Buffer.concat(rawFramePieces<ArrayBufferLike>(data) as readonly Uint8Array[]);
}

/** The same frame in pieces: headers, and between them the parts of `data`, which are not copied. */
export function rawFramePieces<T extends ArrayBufferLike>(
  data: Buffer<T>,
): Buffer<T | ArrayBuffer>[] {
  const header = Buffer.allocUnsafe(HEADER_BYTES);
  header.writeUInt32LE(MAGIC, 0);
  header.writeUInt8(DESCRIPTOR, 4);
  header.writeUInt32LE(data.length, 5);
  const pieces: Buffer<T | ArrayBuffer>[] = [header];
  const blocks = blocksOf(data.length);
  for (let block = 0; block < blocks; block++) {
    const part = data.subarray(block * BLOCK_BYTES_MAX, (block + 1) * BLOCK_BYTES_MAX);
    const blockHeader = Buffer.allocUnsafe(BLOCK_HEADER_BYTES);
    // Block type 0 (raw) in the two bits between.
    blockHeader.writeUIntLE((part.length << 3) | (block === blocks - 1 ? LAST_BLOCK : 0), 0, 3);
    pieces.push(blockHeader, part);
  }
  return pieces;
}

function blocksOf(dataBytes: number): number {
  return Math.max(1, Math.ceil(dataBytes / BLOCK_BYTES_MAX));
}
