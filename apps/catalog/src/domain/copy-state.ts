import type { CopyView } from '#contracts/catalog/copy.js';
import type { FragmentView } from '#contracts/image.js';

/** What of a copy's fragments its state is derived from. */
export interface CopyCounts {
  /** Null until the backup has said how many there are. */
  readonly fragmentsExpected: number | null;
  /** ACTIVE fragments within what is expected. */
  readonly active: number;
  /** ACTIVE, or DAMAGED and not marked for deletion. */
  readonly kept: number;
  /** Marked for deletion, or granted and not reported gone. */
  readonly leaving: number;
  readonly deleted: number;
  /** Every fragment of the image was ACTIVE in it once. */
  readonly wasComplete: boolean;
  /** A running job writes it. */
  readonly isBeingWritten: boolean;
}

/** The state of a copy: counted, never set. */
export function copyState(copy: CopyCounts): CopyView['state'] {
  if (isWhole(copy)) return 'COMPLETE';
  if (copy.kept > 0 && copy.wasComplete) return 'DEGRADED';
  if (copy.isBeingWritten) return 'IN_PROCESS';
  if (copy.kept > 0) return 'INCOMPLETE';
  if (copy.leaving > 0) return 'TO_BE_DELETED';
  return copy.deleted > 0 ? 'DELETED' : 'INCOMPLETE';
}

function isWhole({ fragmentsExpected, active }: CopyCounts): boolean {
  return fragmentsExpected !== null && active === fragmentsExpected;
}

type Source = Pick<FragmentView, 'copy' | 'state'>;

/** Sources of a number in the order in which to try them: ACTIVE, of a COMPLETE copy, of a low one. */
export function bestFirst<T extends Source>(
  sources: readonly T[],
  copies: readonly Pick<CopyView, 'copy' | 'state'>[],
): T[] {
  const complete = new Set(copies.flatMap(({ copy, state }) => (state === 'COMPLETE' ? copy : [])));
  const rank = ({ copy, state }: Source) =>
    (state === 'ACTIVE' ? 0 : 2) + (complete.has(copy) ? 0 : 1);
  return [...sources].sort((a, b) => rank(a) - rank(b) || a.copy - b.copy);
}
