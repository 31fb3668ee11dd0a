import { FragmentDamaged, FragmentUnreadable } from '../errors.js';
import { finishEmptying } from './catch-up.js';
import type { ChunkVolume } from './chunk-volume.js';
import { readRecipe } from './recipe-files.js';
import type { Reference } from './references/reference-state.js';

/**
 * Releases what a recipe in the trash of a tombstone counts, and empties that. One that is not there, but
 * lies elsewhere, was not trashed to the end: its chunks stay.
 */
export async function giveUp(
  volume: ChunkVolume,
  reference: Reference,
  tombstoneId: string,
): Promise<void> {
  const { places, recipeFiles, ledger } = volume;
  const { fragmentId } = reference;
  const path = await recipeFiles.find({ ...reference, tombstoneId });
  // Where it counted, the index is made anew at the next start: it has a holder that nobody knows.
  if (path === undefined) return ledger.add({ type: 'LOWERED', fragmentId });
  if (path !== recipeFiles.trashedPath(reference, tombstoneId)) return;
  if (await places.isHolder(fragmentId)) await release(volume, reference, { path, tombstoneId });
  else await ledger.add({ type: 'RELEASED', fragmentId, tombstoneId });
  await finishEmptying(volume, { fragmentId, tombstoneId });
}

async function release(
  { places, references }: ChunkVolume,
  reference: Reference,
  { path, tombstoneId }: { path: string; tombstoneId: string },
): Promise<void> {
  const { fragmentId } = reference;
  const map = places.hold();
  try {
    await readRecipe(fragmentId, path, (recipe) => references.hold(recipe, map));
    await references.release(fragmentId, tombstoneId, map);
  } catch (error) {
    if (error instanceof FragmentDamaged || error instanceof FragmentUnreadable) {
      throw new FragmentDamaged(
        fragmentId,
        `has a recipe in the trash that cannot be read, so nobody knows which chunks it alone needs, and ` +
          `all stay: ${error.message}. If it cannot be mended, remove ${path}: the trash is emptied then, ` +
          `and the room comes back with the collection behind the next start of the media server`,
      );
    }
    throw error;
  } finally {
    places.letGo(map);
  }
}
