import type { FragmentView } from '#contracts/image.js';

/**
 * Fragments in whatever state, as a table to read from. The two halves have an index each on
 * (image_id, copy, number), so that a commit has to keep only one of them.
 */
export const EVERY_FRAGMENT = `(
  SELECT * FROM fragment WHERE state IN ('ACTIVE', 'TO_BE_DELETED')
  UNION ALL
  SELECT * FROM fragment WHERE state IN ('DAMAGED', 'DELETING', 'DELETED')
)`;

/** A fragment that holds its number, beside the alias `f`. */
export const IS_LIVE = `f.state IN ('ACTIVE', 'TO_BE_DELETED')`;

/** One that holds its number no more, beside the alias `f`. */
const IS_PAST = `f.state IN ('DAMAGED', 'DELETING', 'DELETED')`;

/**
 * True of every fragment, beside the alias `f`. A statement that takes fragments of an image in states of both halves, to
 * lock or to change them, says it: PostgreSQL uses the indexes of the halves only where it sees that one of
 * them applies, and would else read the whole table.
 */
export const IN_EITHER_HALF = `(${IS_LIVE} OR ${IS_PAST})`;

/** A row of `fragment` as far as it is shown. */
export interface FragmentRecord {
  readonly fragment_id: string;
  readonly image_id: string;
  readonly copy: number;
  readonly number: number;
  readonly attempt: string;
  readonly state: FragmentView['state'];
  readonly state_reason: string;
  readonly deletable_at: Date | null;
  readonly media_id: string;
  readonly pool: string;
  readonly archive_offset: string;
  readonly archive_bytes: string;
  readonly stored_bytes: string;
  readonly digest: string;
  readonly index_bytes: string;
  readonly index_digest: string;
  readonly frames: number;
  readonly committed_at: Date;
}

export function toFragmentView(row: FragmentRecord): FragmentView {
  return {
    fragmentId: row.fragment_id,
    imageId: row.image_id,
    copy: row.copy,
    number: row.number,
    attempt: Number(row.attempt),
    state: row.state,
    stateReason: row.state_reason,
    deletableAt: row.deletable_at?.toISOString() ?? null,
    mediaId: row.media_id,
    pool: row.pool,
    archiveOffset: Number(row.archive_offset),
    archiveBytes: Number(row.archive_bytes),
    storedBytes: Number(row.stored_bytes),
    digest: row.digest,
    indexBytes: Number(row.index_bytes),
    indexDigest: row.index_digest,
    frames: row.frames,
    committedAt: row.committed_at.toISOString(),
  };
}
