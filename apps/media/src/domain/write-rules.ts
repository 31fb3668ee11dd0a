import {
  FRAME_ARCHIVE_BYTES_MAX,
  FRAMES_MAX,
  frameTableBytes,
  type FrameRecord,
} from '#archive/frames/frame-table.js';
import { rawFrameBytes } from '#archive/frames/raw-frame.js';
import { seekTableBytes } from '#archive/frames/seek-table.js';
import { PermanentError } from '#kernel/errors.js';
import { STATUS } from '#kernel/status.js';

/** Index text is compressed; an index beyond this is a fault of the writer. */
const INDEX_BYTES_MAX = 4 * 1024 * 1024 * 1024;

/** How far the open fragment has come. */
export interface FragmentProgress {
  readonly frames: readonly FrameRecord[];
  readonly storedBytes: number;
  readonly archiveBytes: number;
  readonly indexBytes: number;
}

/** How far the copy has come. */
export interface CopyProgress {
  readonly nextNumber: number;
  readonly archiveOffset: number;
  /** The last fragment was announced: only FINISH may follow. */
  readonly ended: boolean;
}

export interface SealClaim {
  readonly number: number;
  readonly archiveOffset: number;
  readonly archiveBytes: number;
  readonly frames: number;
  readonly last: boolean;
}

/** What was received is not what was sent. Status 1057. */
export function corruption(what: string): PermanentError {
  return new PermanentError(STATUS.dataCorruption, `A data corruption has been detected: ${what}`);
}

export function outOfSequence(what: string): PermanentError {
  return new PermanentError(STATUS.outOfSequence, `events out of sequence: ${what}`);
}

/** Throws if one more frame would break a limit. */
export function checkFrame(
  fragment: FragmentProgress,
  frame: { archiveBytes: number; storedBytes: number },
  fragmentBytesMax: number,
): void {
  const { archiveBytes, storedBytes } = frame;
  if (archiveBytes < 1 || archiveBytes > FRAME_ARCHIVE_BYTES_MAX || storedBytes < 1) {
    throw outOfSequence(`a frame of ${archiveBytes} archive bytes in ${storedBytes} came`);
  }
  const frames = fragment.frames.length + 1;
  checkSize({ frames, storedBytes: fragment.storedBytes + storedBytes }, fragmentBytesMax);
}

/**
 * Throws unless a frame table is that of raw frames of `frameBytes` archive bytes each (the last one may
 * have fewer), and within the limits of a fragment.
 * @returns the bytes of the fragment's data
 */
export function checkRawFrames(
  table: readonly FrameRecord[] | undefined,
  frameBytes: number,
  fragmentBytesMax: number,
): number {
  if (!table) throw outOfSequence('an index does not end with the table of its frames');
  let storedBytes = 0;
  table.forEach((frame, index) => {
    const { archiveBytes } = frame;
    const isLast = index === table.length - 1;
    const fits = isLast
      ? archiveBytes > 0 && archiveBytes <= frameBytes
      : archiveBytes === frameBytes;
    if (!fits || frame.storedBytes !== rawFrameBytes(archiveBytes)) {
      throw corruption(`the frame table is wrong at frame ${index + 1}`);
    }
    storedBytes += frame.storedBytes;
  });
  return checkSize({ frames: table.length, storedBytes }, fragmentBytesMax);
}

/** Throws if a fragment may not hold so many archive bytes, however they are kept. */
export function checkArchiveBytes(archiveBytes: number, fragmentBytesMax: number): void {
  const frames = Math.ceil(archiveBytes / FRAME_ARCHIVE_BYTES_MAX);
  checkSize({ frames, storedBytes: archiveBytes }, fragmentBytesMax);
}

/** @returns the bytes of so many frames and their seek table. Throws if a fragment may not have them. */
function checkSize(
  { frames, storedBytes }: { frames: number; storedBytes: number },
  fragmentBytesMax: number,
): number {
  const whole = storedBytes + seekTableBytes(frames);
  if (whole > fragmentBytesMax || frames > FRAMES_MAX) {
    throw new PermanentError(
      STATUS.mediaWriteError,
      `media write error: a fragment would grow to ${whole} bytes in ${frames} frames; ` +
        `the storage unit allows ${fragmentBytesMax} bytes in ${FRAMES_MAX}`,
    );
  }
  return whole;
}

/** Throws if what a SEAL says is not what was written. */
export function checkSeal(
  copy: CopyProgress,
  fragment: Pick<FragmentProgress, 'frames' | 'archiveBytes'>,
  claim: SealClaim,
): void {
  if (claim.number !== copy.nextNumber) {
    throw outOfSequence(`fragment ${claim.number} came where ${copy.nextNumber} belongs`);
  }
  if (claim.archiveOffset !== copy.archiveOffset) {
    throw outOfSequence(
      `archive byte ${claim.archiveOffset} came where ${copy.archiveOffset} belongs`,
    );
  }
  if (claim.frames !== fragment.frames.length || claim.archiveBytes !== fragment.archiveBytes) {
    throw outOfSequence(
      `fragment ${claim.number} is said to have ${claim.archiveBytes} bytes in ${claim.frames} ` +
        `frames, but has ${fragment.archiveBytes} in ${fragment.frames.length}`,
    );
  }
  if (fragment.frames.length === 0) throw outOfSequence('a fragment without a frame was sealed');
}

/** Throws unless the frame table at the end of the index is that of the frames which were written. */
export function checkFrameTable(
  table: readonly FrameRecord[] | undefined,
  frames: readonly FrameRecord[],
): void {
  if (!table || table.length !== frames.length) {
    throw outOfSequence(`an index does not end with the table of its ${frames.length} frames`);
  }
  table.forEach((entry, index) => {
    const frame = frames[index]!;
    const same =
      entry.storedBytes === frame.storedBytes &&
      entry.archiveBytes === frame.archiveBytes &&
      entry.digest.equals(frame.digest);
    if (!same) throw corruption(`the frame table is wrong at frame ${index + 1}`);
  });
}

/** Throws if one more piece of index would break a limit. */
export function checkIndex(fragment: Pick<FragmentProgress, 'indexBytes'>, bytes: number): void {
  if (bytes > Math.max(frameTableBytes(FRAMES_MAX), FRAME_ARCHIVE_BYTES_MAX)) {
    throw outOfSequence(`an index frame of ${bytes} bytes came`);
  }
  if (fragment.indexBytes + bytes > INDEX_BYTES_MAX) throw outOfSequence('an index is too long');
}

/**
 * Throws unless FINISH fits what was written. `endedBefore`: nothing was written, since earlier
 * attempts have written it all.
 */
export function checkFinish(copy: CopyProgress, fragments: number, endedBefore = false): void {
  if (!copy.ended && !endedBefore) throw outOfSequence('FINISH came before the last fragment');
  if (fragments !== copy.nextNumber - 1) {
    throw outOfSequence(
      `FINISH speaks of ${fragments} fragments, there are ${copy.nextNumber - 1}`,
    );
  }
}
