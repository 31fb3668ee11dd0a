import type { ImageView } from '#contracts/image.js';

/** How far an image has come, counted in the catalog. */
export interface ImageProgress {
  /** Null until the backup has said how many it wrote. */
  readonly fragmentsExpected: number | null;
  /** Numbers within what is expected that are ACTIVE in some copy. */
  readonly committed: number;
  /** Those of them whose file index is loaded, too: from whatever copy. */
  readonly loaded: number;
  /** The lowest number that is missing. */
  readonly firstMissing: number | null;
  readonly indexError: string | null;
}

/** COMPLETE is derived, never set: counted fragments, with their indexes. */
export function imageState(image: {
  readonly complete: boolean;
  readonly abandoned: boolean;
  /** It was complete once: what it lacks now is damaged or deleted. */
  readonly wasComplete: boolean;
}): ImageView['state'] {
  if (image.complete) return 'COMPLETE';
  return image.abandoned || image.wasComplete ? 'INCOMPLETE' : 'IN_PROCESS';
}

/** In words, what keeps an image from being COMPLETE; empty if nothing does. */
export function waitsFor(progress: ImageProgress): string {
  const { fragmentsExpected: expected, committed, loaded, firstMissing, indexError } = progress;
  if (expected === null) return 'the end of the backup';
  if (committed < expected) return waitsForCommits({ expected, committed, firstMissing });
  if (loaded === expected) return '';
  const what = `the file index of ${expected - loaded} of ${expected} fragments`;
  return indexError ? `${what} (${indexError})` : what;
}

/** In words, what keeps a copy from being COMPLETE. */
export function waitsForCopy(
  { fragmentsExpected, active }: { fragmentsExpected: number | null; active: number },
  firstMissing: number | null,
): string {
  if (fragmentsExpected === null) return 'the end of the backup';
  return waitsForCommits({ expected: fragmentsExpected, committed: active, firstMissing });
}

function waitsForCommits(of: {
  readonly expected: number;
  readonly committed: number;
  readonly firstMissing: number | null;
}): string {
  const more = of.expected - of.committed - 1;
  return (
    `the commit of fragment ${of.firstMissing ?? '?'} of ${of.expected}` +
    (more > 0 ? ` and ${more} more` : '')
  );
}
