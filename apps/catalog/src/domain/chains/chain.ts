import { leavingText } from '#contracts/catalog/leaving.js';
import type { ImageView } from '#contracts/image.js';
import type { ImageKind } from '#contracts/names.js';
import { NotFound, PermanentError } from '#kernel/errors.js';
import { STATUS } from '#kernel/status.js';

/** An image as a chain needs it. */
export interface ChainLink {
  readonly imageId: string;
  readonly kind: ImageKind;
  readonly state: ImageView['state'];
  readonly baseImageId: string | null;
  /** It was COMPLETE once, and what it lacks now is damaged: the rest can be restored. */
  readonly isDamaged: boolean;
  /** What becomes of it, where nothing of it is kept. */
  readonly leaving?: ImageView['leaving'];
}

/**
 * The images that a restore of the last one reads, oldest first: back along the bases to the full.
 * `images` holds the image and its ancestors in any order. With `exact`, the image alone.
 * @throws PermanentError 229 where one is missing or was never COMPLETE, with its name.
 */
export function restoreChain<T extends ChainLink>(
  imageId: string,
  images: readonly T[],
  exact: boolean,
): T[] {
  const byId = new Map(images.map((image) => [image.imageId, image]));
  const chain: T[] = [];
  for (let next: string | null = imageId; next !== null;) {
    const image: T | undefined = byId.get(next);
    if (!image) throw chain.length === 0 ? unknownImage(imageId) : missing(imageId, next);
    if (!isReadable(image)) throw notComplete(imageId, image);
    // Each image is taken once, so that a ring of bases, should there be one, comes to an end.
    byId.delete(next);
    chain.unshift(image);
    next = exact ? null : image.baseImageId;
  }
  return chain;
}

/**
 * Says whether the pins of a job hold what there ever was of an image, but for what is damaged.
 * @throws PermanentError 227 where there is no such image, 229 where it is being deleted.
 */
export function requirePinned(
  imageId: string,
  images: readonly (ChainLink & { readonly wasComplete: boolean })[],
): void {
  const image = images.find((each) => each.imageId === imageId);
  if (!image) throw unknownImage(imageId);
  if (image.wasComplete && !isReadable(image)) throw notComplete(imageId, image);
}

function isReadable({ state, isDamaged }: ChainLink): boolean {
  return state === 'COMPLETE' || isDamaged;
}

function missing(imageId: string, absent: string): PermanentError {
  return new PermanentError(
    STATUS.outOfSequence,
    `Image ${imageId} builds on ${absent}, which is not in the catalog. ` +
      `What ${imageId} itself holds can be restored with "--only" (in a request: "exact").`,
  );
}

function notComplete(imageId: string, image: ChainLink): PermanentError {
  const leaving = leavingText(image);
  if (leaving !== undefined) {
    const whose = image.imageId === imageId ? '' : `Image ${imageId} builds on ${image.imageId}. `;
    return new PermanentError(STATUS.outOfSequence, whose + leaving);
  }
  const what =
    image.imageId === imageId ? `Image ${imageId}` : `Image ${imageId} builds on ${image.imageId},`;
  const rest = image.imageId === imageId ? 'is not complete' : 'which is not complete';
  return new PermanentError(
    STATUS.outOfSequence,
    `${what} ${rest} (${image.state}): only complete images can be restored. ${IMAGES_HINT}`,
  );
}

/** What to do about an image that is not there. */
export const IMAGES_HINT = '"holdfast images" lists them.';

/** An image that nobody knows. */
export function unknownImage(imageId: string): NotFound {
  return new NotFound('image', imageId, STATUS.notFound, IMAGES_HINT);
}

/**
 * The policy whose image a client's restore by time means.
 * @throws PermanentError 190 where none has one, or several have and none was named.
 */
export function choosePolicy(policies: readonly string[], at: string): string {
  const [only, another] = policies;
  if (only === undefined) {
    throw new PermanentError(
      STATUS.noImagesMatch,
      `There is no complete image of that time (${at}) or before it.`,
    );
  }
  if (another !== undefined) {
    throw new PermanentError(
      STATUS.noImagesMatch,
      `Several policies have images of that time: ${policies.join(', ')}. Name one of them with --policy.`,
      'policy',
    );
  }
  return only;
}
