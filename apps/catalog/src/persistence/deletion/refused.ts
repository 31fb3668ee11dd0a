import type { Queries } from '../queries.js';

/** Nobody will take these any more: another fragment has their number, or a later attempt has. */
const IS_SPARE = `r.verdict IN ('SUPERSEDED', 'FENCED')`;
const IS_HELD = `EXISTS (
  SELECT 1 FROM fragment f WHERE f.image_id = r.offer->>'imageId'
    AND f.copy = (r.offer->>'copy')::int AND f.number = (r.offer->>'number')::int
    AND f.state = 'ACTIVE')`;

const MOVE = `
  WITH released AS (
    DELETE FROM refused_fragment r
    WHERE r.offer->>'imageId' = $1 AND ${IS_SPARE} AND ($2 OR ${IS_HELD})
    RETURNING r.verdict, r.offer
  ), moved AS (
    INSERT INTO fragment (fragment_id, image_id, copy, number, attempt, state, state_reason,
      given_up_at, deletable_at, media_id, pool, archive_offset, archive_bytes, stored_bytes, digest,
      index_bytes, index_digest, frames, last, sealed_at)
    SELECT o."fragmentId", o."imageId", o.copy, o.number, o.attempt, 'DAMAGED',
      'it was refused: ' || r.verdict, $3, $4, o."mediaId", o.pool, o."archiveOffset",
      o."archiveBytes", o."storedBytes", o.digest, o."indexBytes", o."indexDigest", o.frames, o.last,
      o."sealedAt"
    FROM released r CROSS JOIN LATERAL jsonb_to_record(r.offer) AS o("fragmentId" uuid,
      "imageId" text, copy int, number int, attempt bigint, "mediaId" text, pool text,
      "archiveOffset" bigint, "archiveBytes" bigint, "storedBytes" bigint, digest text,
      "indexBytes" bigint, "indexDigest" text, frames int, last boolean, "sealedAt" timestamptz)
    ON CONFLICT DO NOTHING RETURNING 1
  )
  SELECT count(*) AS moved FROM moved`;

/** Fragments in quarantine that nobody took. */
export class RefusedFragments {
  constructor(private readonly db: Queries) {}

  /** Images, but for those on hold, with refused fragments that are of no use (any more). */
  async imagesWithSpares(now: Date, limit: number): Promise<string[]> {
    const rows = await this.db.query<{ image_id: string }[]>(
      `SELECT DISTINCT i.image_id FROM refused_fragment r
       JOIN image i ON i.image_id = r.offer->>'imageId'
       WHERE ${IS_SPARE} AND (i.expires_at <= $1 OR ${IS_HELD})
         AND NOT EXISTS (SELECT 1 FROM image_hold h WHERE h.image_id = i.image_id)
       LIMIT $2`,
      [now, limit],
    );
    return rows.map((row) => row.image_id);
  }

  /**
   * Moves an image's spares to the fragments, marked for deletion: there they can never be committed.
   * Those whose number nobody holds go only when the image `isOver`. Call it with the copies locked.
   */
  async release(
    imageId: string,
    of: { readonly isOver: boolean; readonly now: Date; readonly deletableAt: Date },
  ): Promise<number> {
    const [row] = await this.db.query<{ moved: string }[]>(MOVE, [
      imageId,
      of.isOver,
      of.now,
      of.deletableAt,
    ]);
    return Number(row?.moved ?? 0);
  }
}
