import type { Tombstone } from '#contracts/fragment.js';
import type { FragmentState } from './journal-state.js';

export type GrantDecision =
  /** It is this very fragment: the catalog is asked once more, and only its yes lets bytes go. */
  | { readonly type: 'claim' }
  /** The bytes are gone already: the catalog is told (again). */
  | { readonly type: 'report' }
  /** The journal does not know it as a whole fragment: nothing is touched, a person is told. */
  | { readonly type: 'refuse'; readonly reason: string };

/**
 * What a granted deletion means to the media server that it names. A grant alone removes nothing: it
 * may be old, doubled, or from a catalog that has gone back in time since.
 */
export function decideGrant(
  state: FragmentState | undefined,
  tombstone: Pick<Tombstone, 'fragmentId' | 'digest' | 'storedBytes'>,
): GrantDecision {
  if (state === undefined || state.phase === 'INTENT') {
    return { type: 'refuse', reason: 'the journal does not know it as a whole fragment' };
  }
  const { digest, storedBytes } = state.manifest;
  if (digest !== tombstone.digest || storedBytes !== tombstone.storedBytes) {
    return { type: 'refuse', reason: 'the journal has it with another digest or size' };
  }
  return { type: state.phase === 'REMOVED' ? 'report' : 'claim' };
}
