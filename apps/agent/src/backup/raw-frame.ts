const MAGIC = 0xfd2fb528;
/** A single segment whose size stands in four bytes; no checksum, no dictionary. */
const DESCRIPTOR = 0xa0;
const HEADER_BYTES = 9;
const BLOCK_BYTES_MAX = 128 * 1024;
const BLOCK_HEADER_BYTES = 3;
const LAST_BLOCK = 1;

/** A Zstandard frame that holds `data` as it is: raw blocks (RFC 8878, 3.1.1). */
export function rawFrame(data: Buffer): Buffer {
  const blocks = Math.max(1, Math.ceil(data.length / BLOCK_BYTES_MAX));
  const frame = Buffer.allocUnsafe(HEADER_BYTES + blocks * BLOCK_HEADER_BYTES + data.length);
  frame.writeUInt32LE(MAGIC, 0);
  frame.writeUInt8(DESCRIPTOR, 4);
  frame.writeUInt32LE(data.length, 5);
  let at = HEADER_BYTES;
  for (let block = 0; block < blocks; block++) {
    const from = block * BLOCK_BYTES_MAX;
    const bytes = Math.min(BLOCK_BYTES_MAX, data.length - from);
    // Block type 0 (raw) in the two bits between.
    frame.writeUIntLE((bytes << 3) | (block === blocks - 1 ? LAST_BLOCK : 0), at, 3);
    at += BLOCK_HEADER_BYTES + data.copy(frame, at + BLOCK_HEADER_BYTES, from, from + bytes);
  }
  return frame;
}
