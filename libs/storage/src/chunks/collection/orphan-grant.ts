declare const confirmed: unique symbol;

/**
 * The only value by which chunks may go that no known recipe names, after the ledger of references was
 * lost. `confirmOrphans` alone makes one, out of the catalog's word that it knows every recipe of the
 * volume.
 */
export interface ConfirmedOrphans {
  readonly [confirmed]: true;
  readonly volumeId: string;
}

/** @returns undefined unless the catalog said that every recipe of this volume is known to it. */
export function confirmOrphans(
  volumeId: string,
  answer: { readonly knowsEveryRecipe: boolean },
): ConfirmedOrphans | undefined {
  return answer.knowsEveryRecipe ? ({ volumeId } as ConfirmedOrphans) : undefined;
}
