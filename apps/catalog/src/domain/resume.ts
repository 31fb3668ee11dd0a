import type { ResumePoint } from '#contracts/task.js';

/** A fragment that is ACTIVE in the copy. */
export interface CommittedPiece {
  readonly number: number;
  readonly archiveOffset: number;
  readonly archiveBytes: number;
  readonly storedBytes: number;
}

/**
 * Where the next attempt goes on: behind the fragments that follow each other from the first one
 * without a gap, in number and in archive bytes. What lies behind a gap is not counted: the attempt
 * writes those numbers anew.
 */
export function resumePointOf(pieces: readonly CommittedPiece[]): Required<ResumePoint> {
  let point = { nextNumber: 1, archiveOffset: 0, storedBytes: 0 };
  for (const piece of [...pieces].sort((a, b) => a.number - b.number)) {
    if (piece.number !== point.nextNumber || piece.archiveOffset !== point.archiveOffset) break;
    point = {
      nextNumber: piece.number + 1,
      archiveOffset: piece.archiveOffset + piece.archiveBytes,
      storedBytes: point.storedBytes + piece.storedBytes,
    };
  }
  return point;
}
