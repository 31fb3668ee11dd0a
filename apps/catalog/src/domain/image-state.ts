import type { ImageView } from '#contracts/image.js';

/** How far an image has come, counted in the catalog. */
export interface ImageProgress {
  /** Null until the backup has said how many it wrote. */
  readonly fragmentsExpected: number | null;
  /** Fragments that are ACTIVE and within what is expected. */
  readonly committed: number;
  /** Those of them whose file index is loaded, too. */
  readonly loaded: number;
  /** The lowest number that is missing. */
  readonly firstMissing: number | null;
  readonly indexError: string | null;
}

/** COMPLETE is derived, never set: counted fragments, with their indexes. */
export function imageState(image: {
  readonly complete: boolean;
  readonly abandoned: boolean;
}): ImageView['state'] {
  if (image.complete) return 'COMPLETE';
  return image.abandoned ? 'INCOMPLETE' : 'IN_PROCESS';
}

/** In words, what keeps an image from being COMPLETE; empty if nothing does. */
export function waitsFor(progress: ImageProgress): string {
  const { fragmentsExpected: expected, committed, loaded, firstMissing, indexError } = progress;
  if (expected === null) return 'the end of the backup';
  if (committed < expected) {
    const more = expected - committed - 1;
    return (
      `the commit of fragment ${firstMissing ?? '?'} of ${expected}` +
      (more > 0 ? ` and ${more} more` : '')
    );
  }
  if (loaded === expected) return '';
  const what = `the file index of ${expected - loaded} of ${expected} fragments`;
  return indexError ? `${what} (${indexError})` : what;
}
