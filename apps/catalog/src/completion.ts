import { copyCompleted } from '#contracts/catalog/copy.js';
import { imageCompleted } from '#contracts/image.js';
import type { Work } from '#outbox/unit-of-work.js';
import type { ImageProgress } from './domain/image-state.js';
import { Copies, type CopyFound } from './persistence/copies/copies.js';
import { ImageViews } from './persistence/image-views.js';
import { Images } from './persistence/images.js';

/**
 * Counts an image after a change to it, and announces it the first time that it is complete. Call it
 * with the image locked: of a finish and a load at the same moment, the second sees the first.
 */
export async function countImage(
  unit: Work,
  imageId: string,
): Promise<ImageProgress & { readonly complete: boolean }> {
  const images = new Images(unit.db);
  const progress = await images.progress(imageId);
  if (progress.complete && (await images.markAnnounced(imageId))) {
    unit.announce(imageCompleted, imageId, (await new ImageViews(unit.db).one(imageId))!);
    if (!(await new Copies(unit.db).markOnlyOne(imageId))) await countCopies(unit, imageId);
  }
  return progress;
}

/**
 * Counts the copies of an image, and announces each further or repaired one once when it is complete.
 * Call it with the image locked.
 */
export async function countCopies(unit: Work, imageId: string): Promise<CopyFound[]> {
  const copies = new Copies(unit.db);
  const found = await copies.of(imageId);
  for (const { copy, state, attempt, completedAttempt, view } of found) {
    if (state !== 'COMPLETE' || completedAttempt === attempt) continue;
    await copies.markCompleted(imageId, copy);
    const isFirst = copy === 1 && completedAttempt === null;
    if (!isFirst) unit.announce(copyCompleted, imageId, view);
  }
  return found;
}
