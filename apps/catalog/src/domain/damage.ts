import type { BytesState } from '#contracts/media.js';
import type { Deletable } from './deletion.js';

/** A fragment, as far as what its media server says of its bytes matters. */
export interface Suspect extends Deletable {
  /** A later attempt of its backup writes its number anew. */
  readonly isGivenUp: boolean;
  /** Another fragment holds its number. */
  readonly isReplaced: boolean;
}

/**
 * What becomes of a fragment whose own media server has looked at its bytes: DAMAGED, or good again
 * where they came back (a volume was away) and nothing has taken its place. Whether it is marked for
 * deletion does not change. Undefined: nothing changes.
 */
export function decideDamage(fragment: Suspect, bytes: BytesState): Deletable | undefined {
  const { state, deletableAt, tombstoneId } = fragment;
  switch (bytes) {
    case 'missing':
    case 'damaged':
    case 'partial':
      return state === 'ACTIVE' || state === 'TO_BE_DELETED'
        ? { state: 'DAMAGED', deletableAt, tombstoneId }
        : undefined;
    case 'whole':
      if (state !== 'DAMAGED' || fragment.isGivenUp || fragment.isReplaced) return undefined;
      return { state: deletableAt === null ? 'ACTIVE' : 'TO_BE_DELETED', deletableAt, tombstoneId };
    case 'trash':
      // Moved aside by a tombstone: a reconciliation brings it back where that was not granted.
      return undefined;
    default:
      return bytes satisfies never;
  }
}
