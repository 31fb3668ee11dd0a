declare const confirmed: unique symbol;

/** In which doubt a volume is whether a recipe was lost with the ledger: another one whenever it is opened. */
export interface Doubt {
  readonly volumeId: string;
  readonly doubtId: string;
}

/**
 * The only value by which chunks may go that no known recipe names, after the ledger of references was
 * lost. `confirmOrphans` alone makes one, out of the catalog's word that it knows every recipe of the
 * volume.
 */
export interface ConfirmedOrphans extends Doubt {
  readonly [confirmed]: true;
}

/**
 * @param word What the catalog has compared, before it said that it knows every recipe.
 * @returns undefined unless the volume was in the doubt then that it is in now.
 */
export function confirmOrphans(now: Doubt, word: Doubt): ConfirmedOrphans | undefined {
  const { volumeId, doubtId } = now;
  const isSame = word.volumeId === volumeId && word.doubtId === doubtId;
  return isSame ? ({ volumeId, doubtId } as ConfirmedOrphans) : undefined;
}
