declare const confirmed: unique symbol;

/**
 * The only value by which the bytes of a fragment can be removed. `confirmGrant` alone makes one, out
 * of the catalog's yes to a claim; it is used at once and kept nowhere.
 */
export interface ConfirmedGrant {
  readonly [confirmed]: true;
  readonly fragmentId: string;
  readonly tombstoneId: string;
}

/** @returns undefined unless the catalog said yes to the claim for this tombstone. */
export function confirmGrant(
  tombstone: { readonly fragmentId: string; readonly tombstoneId: string },
  answer: { readonly confirmed: boolean },
): ConfirmedGrant | undefined {
  if (!answer.confirmed) return undefined;
  const { fragmentId, tombstoneId } = tombstone;
  return { fragmentId, tombstoneId } as ConfirmedGrant;
}
