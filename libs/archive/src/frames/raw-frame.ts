const MAGIC = 0xfd2fb528;
/** A single segment whose size stands in four bytes; no checksum, no dictionary. */
const DESCRIPTOR = 0xa0;
const HEADER_BYTES = 9;
/** Of each block but the last. */
export const RAW_BLOCK_BYTES = 128 * 1024;
const BLOCK_HEADER_BYTES = 3;
const LAST_BLOCK = 1;

/** Bytes of the frame that `rawFrame` makes of so many. */
export function rawFrameBytes(dataBytes: number): number {
  return HEADER_BYTES + blocksOf(dataBytes) * BLOCK_HEADER_BYTES + dataBytes;
}

/** Where in a frame the bytes of a block begin (0: the first). However many bytes follow, it is the same place. */
export function rawBlockAt(block: number): number {
  return HEADER_BYTES + block * (BLOCK_HEADER_BYTES + RAW_BLOCK_BYTES) + BLOCK_HEADER_BYTES;
}

/** Makes a frame of `dataBytes` that lie where they belong (`rawBlockAt`): writes all that stands around them. */
export function writeRawHeaders(frame: Buffer, dataBytes: number): void {
  let at = 0;
  for (const { header, bytes } of rawFrameParts(dataBytes)) at += header.copy(frame, at) + bytes;
}

/** How a frame of so many bytes is made: headers, and how many of its bytes are behind each. */
export function* rawFrameParts(dataBytes: number): Iterable<{ header: Buffer; bytes: number }> {
  let left = dataBytes;
  for (let blocks = blocksOf(dataBytes); blocks > 0; blocks -= 1) {
    const isFirst = left === dataBytes;
    const bytes = Math.min(left, RAW_BLOCK_BYTES);
    const header = Buffer.allocUnsafe((isFirst ? HEADER_BYTES : 0) + BLOCK_HEADER_BYTES);
    const at = isFirst ? writeHeader(header, dataBytes) : 0;
    // Block type 0 (raw) in the two bits between.
    header.writeUIntLE((bytes << 3) | (blocks === 1 ? LAST_BLOCK : 0), at, BLOCK_HEADER_BYTES);
    yield { header, bytes };
    left -= bytes;
  }
}

/** A Zstandard frame that holds `data` (below 4 GiB) as it is: raw blocks (RFC 8878, 3.1.1). */
export function rawFrame(data: Buffer): Buffer {
  return Buffer.concat(rawFramePieces<ArrayBufferLike>(data) as readonly Uint8Array[]);
}

/** The same frame in pieces: headers, and between them the parts of `data`, which are not copied. */
export function rawFramePieces<T extends ArrayBufferLike>(
  data: Buffer<T>,
): Buffer<T | ArrayBuffer>[] {
  const pieces: Buffer<T | ArrayBuffer>[] = [];
  let at = 0;
  for (const { header, bytes } of rawFrameParts(data.length)) {
    pieces.push(header as Buffer<ArrayBuffer>, data.subarray(at, at + bytes));
    at += bytes;
  }
  return pieces;
}

/** The parts of the data in a frame that `rawFrame` has made. They share its memory. */
export function rawFrameContent(frame: Buffer): Buffer[] {
  const parts: Buffer[] = [];
  for (let at = HEADER_BYTES; at < frame.length;) {
    const end = Math.min(frame.length, at + BLOCK_HEADER_BYTES + RAW_BLOCK_BYTES);
    parts.push(frame.subarray(at + BLOCK_HEADER_BYTES, end));
    at = end;
  }
  return parts;
}

function writeHeader(target: Buffer, dataBytes: number): number {
  target.writeUInt32LE(MAGIC, 0);
  target.writeUInt8(DESCRIPTOR, 4);
  return target.writeUInt32LE(dataBytes, 5);
}

function blocksOf(dataBytes: number): number {
  return Math.max(1, Math.ceil(dataBytes / RAW_BLOCK_BYTES));
}

/**
 * The content of a frame as `rawFrame` makes them, moved together where it lies: a view of the frame, which is
 * used up. Undefined, and nothing changed, for any other frame.
 */
export function rawContent(frame: Buffer): Buffer | undefined {
  const bytes = rawContentBytes(frame);
  if (bytes === undefined) return undefined;
  const blocks = blocksOf(bytes);
  const step = BLOCK_HEADER_BYTES + RAW_BLOCK_BYTES;
  for (let block = 0; block < blocks; block++) {
    const from = HEADER_BYTES + block * step + BLOCK_HEADER_BYTES;
    frame.copyWithin(block * RAW_BLOCK_BYTES, from, from + RAW_BLOCK_BYTES);
  }
  return frame.subarray(0, bytes);
}

/** What a frame as `rawFrame` makes them holds; undefined for any other frame. */
export function rawContentBytes(frame: Buffer): number | undefined {
  if (frame.length < HEADER_BYTES || frame.readUInt32LE(0) !== MAGIC) return undefined;
  const bytes = frame.readUInt32LE(5);
  if (frame[4] !== DESCRIPTOR || frame.length !== rawFrameBytes(bytes)) return undefined;
  const blocks = blocksOf(bytes);
  const step = BLOCK_HEADER_BYTES + RAW_BLOCK_BYTES;
  for (let block = 0; block < blocks; block++) {
    const length = Math.min(RAW_BLOCK_BYTES, bytes - block * RAW_BLOCK_BYTES);
    const header = (length << 3) | (block === blocks - 1 ? LAST_BLOCK : 0);
    if (frame.readUIntLE(HEADER_BYTES + block * step, 3) !== header) return undefined;
  }
  return bytes;
}
