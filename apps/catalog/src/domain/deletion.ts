import type { FragmentState } from '#contracts/image.js';

/** What of a fragment in the catalog decides about its deletion. */
export interface Deletable {
  readonly state: FragmentState;
  /**
   * End of the grace period in unix milliseconds; null unless it is marked for deletion: it is
   * TO_BE_DELETED then, or stays DAMAGED, which holds no number and can never become ACTIVE by this.
   */
  readonly deletableAt: number | null;
  /** The grant, once there is one. It is never taken back. */
  readonly tombstoneId: string | null;
}

/** What holds a fragment, read in the transaction that changes it, with the fragment locked. */
export interface Ties {
  /** Running jobs that read it. */
  readonly pins: number;
  /** Holds on its image. */
  readonly holds: number;
  /** Without its copy, an image that is still needed would have no good one. */
  readonly isLastGood: boolean;
}

export type DeletionInput =
  /** It is to go; until `deletableAt` (unix milliseconds) it can be taken back. */
  | { readonly type: 'retire'; readonly ties: Ties; readonly deletableAt: number }
  | { readonly type: 'undelete' }
  /** Its grace period may be over: from here on nothing brings it back. */
  | { readonly type: 'grant'; readonly ties: Ties; readonly tombstoneId: string }
  /** Its media server says that the bytes are gone by this tombstone. */
  | { readonly type: 'report'; readonly tombstoneId: string };

export type DeletionDecision =
  | { readonly fragment: Deletable; readonly refused?: undefined }
  /** In words, why nothing changes. */
  | { readonly fragment?: undefined; readonly refused: string };

/**
 * The way of a fragment out of the catalog: ACTIVE, TO_BE_DELETED, DELETING, DELETED, or from DAMAGED
 * and marked to DELETING. The only way back is undelete, within the grace period. Ties are looked at
 * twice: when it is marked, and when the grant goes out.
 */
export function decideDeletion(
  fragment: Deletable,
  input: DeletionInput,
  now: number,
): DeletionDecision {
  switch (input.type) {
    case 'retire':
      return retire(fragment, input.ties, input.deletableAt);
    case 'undelete':
      return undelete(fragment);
    case 'grant':
      return grant(fragment, input, now);
    case 'report':
      return report(fragment, input.tombstoneId);
    default:
      return input satisfies never;
  }
}

/** Whether it is within its grace period, or waits for its grant. */
export function isMarked({ state, deletableAt }: Deletable): boolean {
  return state === 'TO_BE_DELETED' || (state === 'DAMAGED' && deletableAt !== null);
}

function retire(fragment: Deletable, ties: Ties, deletableAt: number): DeletionDecision {
  if (isMarked(fragment)) return { refused: 'it is marked for deletion already' };
  if (fragment.state !== 'ACTIVE' && fragment.state !== 'DAMAGED') {
    return { refused: `it is ${fragment.state} already` };
  }
  const bound = boundBy(fragment, ties);
  if (bound) return { refused: bound };
  const state = fragment.state === 'ACTIVE' ? 'TO_BE_DELETED' : 'DAMAGED';
  return { fragment: { state, deletableAt, tombstoneId: null } };
}

function undelete(fragment: Deletable): DeletionDecision {
  if (!isMarked(fragment)) {
    return {
      refused: `it is ${fragment.state}; only what is marked for deletion can be taken back`,
    };
  }
  const state = fragment.state === 'TO_BE_DELETED' ? 'ACTIVE' : 'DAMAGED';
  return { fragment: { state, deletableAt: null, tombstoneId: null } };
}

function grant(
  fragment: Deletable,
  { ties, tombstoneId }: { ties: Ties; tombstoneId: string },
  now: number,
): DeletionDecision {
  if (!isMarked(fragment)) return { refused: `it is ${fragment.state}` };
  if (fragment.deletableAt === null || now < fragment.deletableAt) {
    return { refused: 'its grace period is not over' };
  }
  const bound = boundBy(fragment, ties);
  if (bound) return { refused: bound };
  return { fragment: { state: 'DELETING', deletableAt: null, tombstoneId } };
}

function report(fragment: Deletable, tombstoneId: string): DeletionDecision {
  if (fragment.state === 'DELETED') return { fragment };
  if (fragment.state !== 'DELETING' || fragment.tombstoneId !== tombstoneId) {
    return { refused: `no deletion by tombstone ${tombstoneId} was granted` };
  }
  return { fragment: { ...fragment, state: 'DELETED' } };
}

/**
 * Whether a media server may remove the bytes now. Only a grant that stands in this catalog counts:
 * one from before the catalog went back in time is none any more.
 */
export function answerClaim(
  fragment: Deletable | undefined,
  tombstoneId: string,
): { readonly confirmed: boolean; readonly reason: string } {
  if (!fragment) return { confirmed: false, reason: 'the catalog does not know the fragment' };
  if (fragment.tombstoneId !== tombstoneId) {
    return { confirmed: false, reason: `the fragment is ${fragment.state} without this tombstone` };
  }
  const confirmed = fragment.state === 'DELETING' || fragment.state === 'DELETED';
  return { confirmed, reason: confirmed ? '' : `the fragment is ${fragment.state}` };
}

/** In words, what keeps a fragment; empty if nothing does. */
function boundBy({ state }: Deletable, { pins, holds, isLastGood }: Ties): string {
  if (pins > 0) return `${pins} running ${pins === 1 ? 'job reads' : 'jobs read'} it`;
  if (holds > 0) return `its image is on hold`;
  // A damaged fragment is good for nothing, so it is never the last good one.
  return isLastGood && state !== 'DAMAGED'
    ? 'it belongs to the last good copy of an image that is still needed'
    : '';
}
