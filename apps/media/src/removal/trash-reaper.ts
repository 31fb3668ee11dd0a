import type { TrashedFragment } from '#storage/fragment-store.js';
import { untilUnread } from '../volumes/until-unread.js';
import type { Volume } from '../volumes/volume.js';
import type { Removal } from './removals.js';

/**
 * Gives up for good what has been in the trash for longer than the grace period. Only that which the
 * journal has as removed by this very tombstone, and for which the catalog, asked just before, stands
 * by that: it may have gone back in time since. Then the journal forgets it. Anything else in the trash is left for a person. Says
 * how many fragments went; throws what `standsBy` throws.
 * @param failed Hears of what could not be given up; it holds up nothing else.
 */
export async function emptyOldTrash(
  volumes: Iterable<Volume>,
  time: { readonly graceMs: number; readonly now: Date },
  standsBy: (removal: Removal) => Promise<boolean>,
  failed: (what: string, error: unknown) => void,
): Promise<number> {
  let emptied = 0;
  for (const volume of volumes) {
    const unread = (error: unknown) =>
      failed(`Not all of the trash of pool "${volume.pool}" can be read`, error);
    for await (const trashed of untilUnread(volume.store.trash(), unread)) {
      const age = time.now.getTime() - trashed.since.getTime();
      if (age < time.graceMs || !isSettled(volume, trashed)) continue;
      if (!(await standsBy(trashed))) continue;
      const { fragmentId, tombstoneId } = trashed;
      try {
        await volume.store.emptyTrash(tombstoneId);
        volume.ledger.forget(fragmentId);
        emptied += 1;
      } catch (error) {
        failed(`Deleted fragment ${fragmentId} of pool "${volume.pool}" stays in the trash`, error);
      }
    }
  }
  return emptied;
}

function isSettled(volume: Volume, { fragmentId, tombstoneId }: TrashedFragment): boolean {
  const state = volume.ledger.find(fragmentId);
  return state?.phase === 'REMOVED' && state.reported && state.tombstoneId === tombstoneId;
}
