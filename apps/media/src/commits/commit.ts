import { subjectOf } from '#contracts/contract.js';
import {
  bundleId,
  fragmentCommitMessage,
  fragmentCommitsMessage,
  type FragmentCommit,
} from '#contracts/fragment.js';
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

/** The message that brings these commits to the catalog: the same one every time for the same ones. */
export function commitMessageOf(mediaId: string, commits: readonly FragmentCommit[]) {
  const id = bundleId(commits.map(({ fragmentId }) => fragmentId));
  const isAlone = commits.length === 1;
  return {
    id,
    subject: subjectOf(isAlone ? fragmentCommitMessage : fragmentCommitsMessage, mediaId, id),
    payload: isAlone ? commits[0]! : { commits },
  };
}
