import { imageCompleted } from '#contracts/image.js';
import type { Work } from '#outbox/unit-of-work.js';
import type { ImageProgress } from './domain/image-state.js';
import { ImageViews } from './persistence/image-views.js';
import { Images } from './persistence/images.js';

/**
 * Counts an image after a change to it, and announces it the first time that it is complete. The
 * image is locked first: of a finish and a load at the same moment, the second sees the first.
 */
export async function countImage(
  unit: Work,
  imageId: string,
): Promise<ImageProgress & { readonly complete: boolean }> {
  const images = new Images(unit.db);
  await images.lock(imageId);
  const progress = await images.progress(imageId);
  if (progress.complete && (await images.markAnnounced(imageId))) {
    unit.announce(imageCompleted, imageId, (await new ImageViews(unit.db).one(imageId))!);
  }
  return progress;
}
