import type { ImageView } from '../image.js';

/** In words, that an image is on its way out or gone, and what brings it back; undefined where it is not. */
export function leavingText({
  imageId,
  leaving,
}: Pick<ImageView, 'imageId' | 'leaving'>): string | undefined {
  if (!leaving) return undefined;
  switch (leaving.state) {
    case 'TO_BE_DELETED': {
      const until = leaving.until === null ? '' : ` until ${leaving.until}`;
      return `Image ${imageId} is marked for deletion: it can be taken back${until} with: holdfast image undelete ${imageId}`;
    }
    case 'DELETING':
      return `Image ${imageId} is being deleted, and cannot be taken back any more.`;
    case 'DELETED':
      return `Image ${imageId} was deleted.`;
    default:
      return leaving.state satisfies never;
  }
}
