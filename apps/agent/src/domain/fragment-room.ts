import { FRAMES_MAX } from '#archive/frames/frame-table.js';
import { seekTableBytes } from '#archive/frames/seek-table.js';
import { InvalidInput } from '#kernel/errors.js';

/**
 * Index lines of a fragment, before they are compressed: some 40,000 files. The catalog loads a fragment's index once
 * it is committed, so that with small files it is at work on one while the next is read. With fragments of 125,000
 * files all of that came behind the last byte: a quarter of a full backup's time.
 */
const INDEX_TEXT_BYTES_MAX = 4 * 2 ** 20;

/** How far a fragment has come. */
export interface FragmentFill {
  readonly storedBytes: number;
  readonly frames: number;
  readonly indexTextBytes: number;
}

/**
 * True if one more frame of `frameBytes` archive bytes fits whatever it holds, seek table included, and the
 * index may still grow. It is asked before the frame is there, so that it is known early which fragment its entries belong to.
 */
export function hasRoomForFrame(
  fill: FragmentFill,
  frameBytes: number,
  fragmentBytesMax: number,
): boolean {
  const needed = fill.storedBytes + storedBytesMax(frameBytes) + seekTableBytes(fill.frames + 1);
  return (
    fill.frames < FRAMES_MAX &&
    fill.indexTextBytes < INDEX_TEXT_BYTES_MAX &&
    needed <= fragmentBytesMax
  );
}

/** @throws InvalidInput if not even one frame fits. */
export function checkFragmentBytesMax(fragmentBytesMax: number, frameBytes: number): void {
  if (
    hasRoomForFrame({ storedBytes: 0, frames: 0, indexTextBytes: 0 }, frameBytes, fragmentBytesMax)
  )
    return;
  throw new InvalidInput(
    `Fragments of at most ${fragmentBytesMax} bytes are too small: one needs room for a frame of ` +
      `${frameBytes} bytes and its tables. Raise the storage unit's maximum fragment size.`,
    'fragmentBytesMax',
  );
}

/** Zstandard's own bound (ZSTD_compressBound), and 64 bytes for the frame's header. */
function storedBytesMax(frameBytes: number): number {
  const small = frameBytes < 131_072 ? (131_072 - frameBytes) >> 11 : 0;
  return frameBytes + (frameBytes >> 8) + small + 64;
}
