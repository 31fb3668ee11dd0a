import type { FragmentCommit } from '#contracts/fragment.js';
import type { FragmentState } from '../domain/journal-state.js';

/** A fragment that can be offered: it is whole, and there. */
export type OfferableState = Extract<FragmentState, { phase: 'SEALED' | 'JUDGED' }>;

/** The commit of a sealed fragment: the same one every time it is offered. */
export function commitOf(
  place: { readonly mediaId: string; readonly pool: string },
  state: OfferableState,
): FragmentCommit {
  const { manifest, sealedAt } = state;
  return {
    fragmentId: manifest.fragmentId,
    imageId: manifest.imageId,
    copy: manifest.copy,
    number: manifest.number,
    attempt: manifest.attempt,
    mediaId: place.mediaId,
    pool: place.pool,
    archiveOffset: manifest.archiveOffset,
    archiveBytes: manifest.archiveBytes,
    storedBytes: manifest.storedBytes,
    digest: manifest.digest,
    indexBytes: manifest.indexBytes,
    indexDigest: manifest.indexDigest,
    frames: manifest.frames,
    last: manifest.last,
    sealedAt,
  };
}
