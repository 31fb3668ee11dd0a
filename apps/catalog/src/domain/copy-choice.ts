import type { CopyView } from '#contracts/catalog/copy.js';
import { leavingText } from '#contracts/catalog/leaving.js';
import type { ImageView } from '#contracts/image.js';
import { COPIES_MAX } from '#contracts/names.js';
import { InvalidInput, NotFound, PermanentError } from '#kernel/errors.js';
import { STATUS } from '#kernel/status.js';

/** A copy as far as it matters for whoever wants to write one. */
export interface CopyToChoose {
  readonly copy: number;
  readonly state: CopyView['state'];
  readonly pool: string;
  /** Null where it is not known. */
  readonly job: number | null;
  readonly isBeingWritten: boolean;
}

export interface CopyWish {
  readonly job: number;
  readonly pool: string;
  /** To complete or repair this one. */
  readonly copy?: number | undefined;
}

const FIRST_FURTHER_COPY = 2;

/**
 * The copy that a job writes: the one that is named, else its own, else an unfinished one in the
 * pool that no other job writes, else the lowest number that is free.
 * @throws PermanentError 226 where the pool has a complete copy already, 229 where the image or the
 * copy is not fit for it or all numbers are taken, 227 where the named copy is none.
 */
export function chooseCopy(
  image: Pick<ImageView, 'imageId' | 'state' | 'leaving'>,
  copies: readonly CopyToChoose[],
  wish: CopyWish,
): number {
  if (wish.copy !== undefined) return namedCopy(image, copies, { ...wish, copy: wish.copy });
  if (image.state !== 'COMPLETE') {
    throw outOfSequence(
      leavingText(image) ??
        `Image ${image.imageId} is not complete (${image.state}): only complete images are copied.`,
    );
  }
  const own = copies.find(({ job, copy }) => job === wish.job && copy >= FIRST_FURTHER_COPY);
  if (own) return own.copy;
  const here = copies.filter(({ pool }) => pool === wish.pool);
  const complete = here.find(({ state }) => state === 'COMPLETE');
  if (complete) {
    throw new PermanentError(
      STATUS.alreadyExists,
      `Image ${image.imageId} already has a complete copy ${complete.copy} in pool ${wish.pool}.`,
    );
  }
  const unfinished = here.find(
    ({ state, isBeingWritten }) => !isBeingWritten && isUnfinished(state),
  );
  return unfinished?.copy ?? freeNumber(image.imageId, copies);
}

function namedCopy(
  { imageId, state }: Pick<ImageView, 'imageId' | 'state'>,
  copies: readonly CopyToChoose[],
  wish: CopyWish & { readonly copy: number },
): number {
  const copy = copies.find((each) => each.copy === wish.copy);
  if (!copy || copy.state === 'DELETED') {
    throw new NotFound(`copy of ${imageId}`, String(wish.copy));
  }
  if (state === 'IN_PROCESS') throw outOfSequence(`Image ${imageId} is still being made.`);
  if (copy.pool !== wish.pool) {
    throw new InvalidInput(`Copy ${copy.copy} of ${imageId} is in pool ${copy.pool}.`, 'pool');
  }
  if (copy.isBeingWritten && copy.job !== wish.job) {
    throw outOfSequence(`Job ${copy.job} writes copy ${copy.copy} of ${imageId}.`);
  }
  if (copy.state === 'TO_BE_DELETED') {
    throw outOfSequence(
      `Copy ${copy.copy} of ${imageId} is marked for deletion: undelete it first.`,
    );
  }
  return copy.copy;
}

function isUnfinished(state: CopyView['state']): boolean {
  return state === 'INCOMPLETE' || state === 'DEGRADED' || state === 'IN_PROCESS';
}

function freeNumber(imageId: string, copies: readonly CopyToChoose[]): number {
  const taken = new Set(
    copies
      .filter(({ state, isBeingWritten }) => isBeingWritten || state !== 'DELETED')
      .map(({ copy }) => copy),
  );
  for (let number = FIRST_FURTHER_COPY; number <= COPIES_MAX; number += 1) {
    if (!taken.has(number)) return number;
  }
  throw outOfSequence(
    `Image ${imageId} has ${COPIES_MAX} copies, which is the most: expire one of them first.`,
  );
}

function outOfSequence(message: string): PermanentError {
  return new PermanentError(STATUS.outOfSequence, message);
}
