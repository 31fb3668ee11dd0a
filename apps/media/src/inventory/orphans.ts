import type { FragmentName } from '#storage/fragment-name.js';
import { nameOf } from '../domain/journal-state.js';
import type { Volume } from '../volumes/volume.js';

/** Bytes that no record of the journal speaks of. */
export interface Orphan {
  readonly fragmentId: string;
  readonly volume: Volume;
  readonly name: FragmentName;
  /** It lies in the trash of this tombstone. */
  readonly trashedBy?: string;
}

/** Looks over a volume for orphans, in their places and in the trash; nothing of it is touched. */
export async function* scanOrphans(
  volume: Volume,
): AsyncGenerator<Orphan & { readonly isWhole: boolean }> {
  const { store, ledger } = volume;
  const known = (fragmentId: string) => ledger.find(fragmentId) !== undefined;
  for await (const { name, state } of store.list(known)) {
    yield { fragmentId: name.fragmentId, volume, name, isWhole: state === 'sealed' };
  }
  for await (const { fragmentId, tombstoneId, manifest } of store.trash()) {
    // Without a manifest nobody can say what it was.
    if (!manifest || known(fragmentId)) continue;
    const name = nameOf({ manifest });
    yield { fragmentId, volume, name, trashedBy: tombstoneId, isWhole: false };
  }
}
