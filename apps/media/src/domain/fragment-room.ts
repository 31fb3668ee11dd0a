import { FRAME_ARCHIVE_BYTES_MAX, FRAMES_MAX } from '#archive/frames/frame-table.js';
import { seekTableBytes } from '#archive/frames/seek-table.js';

/** Zstandard's own bound (ZSTD_compressBound) for a full frame, and 64 bytes for its header. */
const FRAME_STORED_BYTES_MAX = FRAME_ARCHIVE_BYTES_MAX + (FRAME_ARCHIVE_BYTES_MAX >> 8) + 64;

/** True if one more frame fits into a fragment whatever it holds, the seek table included. */
export function hasRoomForFrame(
  fill: { readonly storedBytes: number; readonly frames: number },
  fragmentBytesMax: number,
): boolean {
  const needed = fill.storedBytes + FRAME_STORED_BYTES_MAX + seekTableBytes(fill.frames + 1);
  return fill.frames < FRAMES_MAX && needed <= fragmentBytesMax;
}
