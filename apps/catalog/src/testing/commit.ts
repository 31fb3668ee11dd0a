import type { FragmentCommit } from '#contracts/fragment.js';
import { SystemClock } from '#kernel/clock.js';
import { uuidv7 } from '#kernel/ids.js';

/** The media server of the tests. */
export const MEDIA = 'm1';

/** A commit of a fragment that nobody has seen before. */
export function commitOf(changes: Partial<FragmentCommit> & { imageId: string }): FragmentCommit {
  return {
    fragmentId: uuidv7(new SystemClock().now()),
    copy: 1,
    number: 1,
    attempt: 1,
    mediaId: MEDIA,
    pool: 'default',
    archiveOffset: 0,
    archiveBytes: 1_000,
    storedBytes: 500,
    digest: 'ab'.repeat(32),
    indexBytes: 10,
    indexDigest: 'cd'.repeat(32),
    frames: 1,
    last: false,
    sealedAt: '2026-01-01T00:00:00.000Z',
    ...changes,
  };
}
