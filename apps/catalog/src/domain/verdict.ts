import type { FragmentCommit, Verdict } from '#contracts/fragment.js';

/** What of a fragment in the catalog decides about a commit. */
export type KnownFragment = Pick<
  FragmentCommit,
  'fragmentId' | 'imageId' | 'copy' | 'number' | 'digest' | 'storedBytes'
>;

/** What the catalog holds, after every admissible fragment of the batch was put in. */
export interface Existing {
  /** The fragment with the commit's id. */
  readonly same: KnownFragment | undefined;
  /** The live fragment that holds the commit's (image, copy, number). A damaged one holds nothing. */
  readonly holder: KnownFragment | undefined;
  /** An ACTIVE fragment of that number in another copy: all copies are cut at the same places. */
  readonly twin?: Piece | undefined;
}

/** Which bytes of the archive a fragment holds. */
export type Piece = Pick<FragmentCommit, 'archiveOffset' | 'archiveBytes'>;

/** The fence of (image, copy): the attempt that may commit now. */
export interface Fence {
  readonly attempt: number;
}

/** A fence, and whether the database may have gone back in time since it was granted. */
export interface DatedFence extends Fence {
  readonly isOfEarlierEra: boolean;
}

/**
 * The attempt that a fence has to rise to before commits to its copy are judged; undefined where it is
 * right. A higher attempt than the catalog's was granted by the catalog, which has forgotten that. While
 * it has granted none since, that attempt is the last one, and everything before it is over. (One that
 * it grants after such a loss is higher than all that were granted before, so it is never met here.)
 */
export function recalledFence(
  fence: DatedFence | undefined,
  offered: Iterable<number>,
): number | undefined {
  if (!fence?.isOfEarlierEra) return undefined;
  const last = Math.max(0, ...offered);
  return last > fence.attempt ? last : undefined;
}

/** Whether a commit may be put in, if its number is free. */
export function mayCommit(commit: FragmentCommit, copy: Fence | undefined, twin?: Piece): boolean {
  return copy?.attempt === commit.attempt && fits(commit, twin);
}

/**
 * The verdict on one delivery. What was committed stays so, whatever the fence says now: a repeat
 * gets the answer that was lost. No verdict lets anything be deleted.
 */
export function judge(
  commit: FragmentCommit,
  existing: Existing,
  copy: Fence | undefined,
): Verdict {
  const { same, holder, twin } = existing;
  if (same) return isTheSame(commit, same) ? 'COMMITTED' : 'CORRUPT';
  if (!copy) return 'UNKNOWN_IMAGE';
  if (holder) return 'SUPERSEDED';
  if (commit.attempt < copy.attempt) return 'FENCED';
  if (!fits(commit, twin)) return 'CORRUPT';
  // An attempt that was never granted, or is not recalled yet.
  return 'UNKNOWN_IMAGE';
}

function fits(commit: FragmentCommit, twin: Piece | undefined): boolean {
  return (
    !twin ||
    (commit.archiveOffset === twin.archiveOffset && commit.archiveBytes === twin.archiveBytes)
  );
}

function isTheSame(commit: FragmentCommit, known: KnownFragment): boolean {
  return (
    commit.digest === known.digest &&
    commit.storedBytes === known.storedBytes &&
    commit.imageId === known.imageId &&
    commit.copy === known.copy &&
    commit.number === known.number
  );
}
