import { DIGEST_BYTES } from '#kernel/blake3.js';
import type { FrameSize } from './seek-table.js';

/** The frame table at the end of an index: sizes and BLAKE3 of each frame of the fragment's data. */
const MAGIC = 0x184d2a5d;
const HEADER_BYTES = 8;
const ENTRY_BYTES = 8 + DIGEST_BYTES;

/** Archive bytes in one frame; a media server takes no larger ones. */
export const FRAME_ARCHIVE_BYTES_MAX = 1024 * 1024;

/** Frames of one fragment: their table has to fit into one message of the data port, of 4 MiB. */
export const FRAMES_MAX = 104_800;

export interface FrameRecord extends FrameSize {
  /** BLAKE3 of the stored frame, 32 bytes. */
  readonly digest: Buffer;
}

/** Bytes that the frame table of so many frames takes. */
export function frameTableBytes(frames: number): number {
  return HEADER_BYTES + frames * ENTRY_BYTES;
}

/** The table as one skippable Zstandard frame. */
export function encodeFrameTable(frames: readonly FrameRecord[]): Buffer {
  const table = Buffer.alloc(frameTableBytes(frames.length));
  table.writeUInt32LE(MAGIC, 0);
  table.writeUInt32LE(frames.length * ENTRY_BYTES, 4);
  frames.forEach((frame, index) => {
    const at = HEADER_BYTES + index * ENTRY_BYTES;
    table.writeUInt32LE(frame.storedBytes, at);
    table.writeUInt32LE(frame.archiveBytes, at + 4);
    frame.digest.copy(table, at + 8, 0, DIGEST_BYTES);
  });
  return table;
}

/** True if a frame begins here that is a frame table and not index lines. Takes 4 bytes or more. */
export function isFrameTable(bytes: Buffer): boolean {
  return bytes.length >= 4 && bytes.readUInt32LE(0) === MAGIC;
}

/** Reads a whole table. The digests are copies. @throws Error if it is damaged. */
export function decodeFrameTable(table: Buffer): FrameRecord[] {
  const bodyBytes = table.length - HEADER_BYTES;
  const whole =
    bodyBytes >= 0 &&
    isFrameTable(table) &&
    table.readUInt32LE(4) === bodyBytes &&
    bodyBytes % ENTRY_BYTES === 0;
  if (!whole) throw new Error('The frame table is damaged');
  return Array.from({ length: bodyBytes / ENTRY_BYTES }, (_, index) => {
    const at = HEADER_BYTES + index * ENTRY_BYTES;
    return {
      storedBytes: table.readUInt32LE(at),
      archiveBytes: table.readUInt32LE(at + 4),
      digest: Buffer.from(table.subarray(at + 8, at + ENTRY_BYTES)),
    };
  });
}
