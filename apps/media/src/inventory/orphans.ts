import type { FragmentName } from '#storage/fragment-name.js';
import { nameOf } from '../domain/journal-state.js';
import { untilUnread } from '../volumes/until-unread.js';
import type { Volume } from '../volumes/volume.js';

/** Bytes that no record of the journal speaks of. */
export interface Orphan {
  readonly fragmentId: string;
  readonly volume: Volume;
  readonly name: FragmentName;
  /** It lies in the trash of this tombstone. */
  readonly trashedBy?: string;
}

/**
 * Looks over a volume for orphans, in their places and in the trash; nothing of it is touched. Throws behind all others
 * where something could not be read: there may be more of them then.
 */
export async function* scanOrphans(
  volume: Volume,
): AsyncGenerator<Orphan & { readonly isWhole: boolean }> {
  const { store, ledger } = volume;
  const known = (fragmentId: string) => ledger.find(fragmentId) !== undefined;
  const failures: unknown[] = [];
  const failed = (error: unknown) => void failures.push(error);
  for await (const { name, state } of untilUnread(store.list(known), failed)) {
    yield { fragmentId: name.fragmentId, volume, name, isWhole: state === 'sealed' };
  }
  for await (const trashed of untilUnread(store.trash(), failed)) {
    const { fragmentId, tombstoneId, manifest, isUnreadable } = trashed;
    if (known(fragmentId)) continue;
    if (isUnreadable) failed(new Error(`the manifest in .trash/${tombstoneId} cannot be read`));
    // Without a manifest nobody can say what it was.
    if (!manifest) continue;
    const name = nameOf({ manifest });
    yield { fragmentId, volume, name, trashedBy: tombstoneId, isWhole: false };
  }
  if (failures.length > 0) throw failures[0];
}
