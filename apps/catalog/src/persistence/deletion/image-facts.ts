import type { ImageFacts } from '../../domain/expiry.js';
import { Copies } from '../copies/copies.js';
import { EVERY_FRAGMENT, IS_LIVE } from '../fragment-view.js';
import type { ImageRow } from '../entities/image.entity.js';
import { LINE } from '../images.js';
import type { Queries } from '../queries.js';

/** Where a page of expired images ended. */
export interface ExpiredCursor {
  readonly expiresAt: Date;
  readonly imageId: string;
}

const IS_HELD = 'EXISTS (SELECT 1 FROM image_hold h WHERE h.image_id = i.image_id)';

/*
 * Whether something of an image is left is a CASE on the fragment's state. Of the same words with OR PostgreSQL makes a
 * look into the index of all that is marked or damaged, whatever the image: once for each image that is looked at.
 */

/** Of a fragment `f`: neither marked nor gone. */
const IS_KEPT = `CASE f.state WHEN 'ACTIVE' THEN true WHEN 'DAMAGED' THEN f.deletable_at IS NULL END`;

/** ... or marked, and on hold with its image `i`. */
const IS_KEPT_OR_HELD = `CASE f.state WHEN 'ACTIVE' THEN true
  WHEN 'DAMAGED' THEN f.deletable_at IS NULL OR ${IS_HELD} WHEN 'TO_BE_DELETED' THEN ${IS_HELD} END`;

/**
 * What builds on an image, at whatever distance, and is not gone itself; a direct child counts when
 * it, or something that builds on it, is unexpired or on hold. What is marked for deletion is gone, unless
 * it is on hold: then it may be taken back at any time.
 */
const DEPENDENTS = `
  WITH RECURSIVE tree AS (
    SELECT c.image_id, c.image_id AS child FROM image c WHERE c.base_image_id = $1
    UNION
    SELECT d.image_id, t.child FROM tree t JOIN image d ON d.base_image_id = t.image_id
  )
  SELECT DISTINCT t.child FROM tree t JOIN image i ON i.image_id = t.image_id
  WHERE i.abandoned_at IS NULL
    AND (i.expires_at IS NULL OR i.expires_at > $2 OR ${IS_HELD})
    AND (NOT EXISTS (SELECT 1 FROM ${EVERY_FRAGMENT} f WHERE f.image_id = i.image_id)
      OR EXISTS (SELECT 1 FROM ${EVERY_FRAGMENT} f WHERE f.image_id = i.image_id
        AND ${IS_KEPT_OR_HELD}))
  ORDER BY t.child`;

/**
 * Until when what builds directly on an image may come back; what that builds on is kept by it in turn. What is itself
 * below the image, in a ring of bases, does not count: nothing of the ring would ever go.
 */
const RETURNS_UNTIL = `${LINE}
  SELECT max(coalesce(f.deletable_at, $2)) AS until
  FROM image c JOIN fragment f ON f.image_id = c.image_id
  WHERE c.base_image_id = $1 AND c.abandoned_at IS NULL AND ${IS_LIVE}
    AND c.image_id NOT IN (SELECT image_id FROM line)`;

/** Of what the image $1 builds on, images with a number of which all is granted or gone, in whatever copy. */
const GONE_BASES = `${LINE}
  SELECT i.image_id FROM line JOIN image i ON i.image_id = line.image_id
  CROSS JOIN LATERAL (
    SELECT f.number FROM ${EVERY_FRAGMENT} f
    WHERE f.image_id = i.image_id AND f.number <= coalesce(i.fragments_expected, f.number)
    GROUP BY f.number HAVING bool_and(f.state IN ('DELETING', 'DELETED')) LIMIT 1
  ) gone
  WHERE i.image_id <> $1 ORDER BY i.image_id`;

/**
 * Images whose time is over and of which something is neither marked nor gone. Rows of what is gone stay for ever, and
 * soon are most of all: so this does not go through all that ever expired, but from each image with something live to
 * the next one, in the index of that.
 */
const EXPIRED = `
  WITH RECURSIVE live AS (
    (SELECT f.image_id FROM fragment f WHERE ${IS_LIVE} ORDER BY f.image_id LIMIT 1)
    UNION ALL
    SELECT next.image_id FROM live CROSS JOIN LATERAL (
      SELECT f.image_id FROM fragment f WHERE ${IS_LIVE} AND f.image_id > live.image_id
      ORDER BY f.image_id LIMIT 1
    ) next
  ), present AS (
    SELECT image_id FROM live
    UNION SELECT image_id FROM fragment WHERE state = 'DAMAGED' AND deletable_at IS NULL
  )
  SELECT i.image_id, i.expires_at FROM present JOIN image i ON i.image_id = present.image_id
  CROSS JOIN LATERAL (
    SELECT 1 FROM ${EVERY_FRAGMENT} f WHERE f.image_id = i.image_id AND ${IS_KEPT} LIMIT 1
  ) f
  WHERE i.expires_at <= $1 AND ($2::timestamptz IS NULL
      OR (i.expires_at, i.image_id) > ($2::timestamptz, $3::text))
  ORDER BY i.expires_at, i.image_id LIMIT $4`;

/** What an expiration is decided by. */
export class ImageFactsReader {
  constructor(private readonly db: Queries) {}

  /** Read it with the image and its fragments locked, where something is to be changed by it. */
  async of(image: ImageRow, now: Date): Promise<ImageFacts> {
    const { imageId, expiresAt, finishedAt, abandonedAt } = image;
    const copies = await new Copies(this.db).of(imageId);
    return {
      ...{ imageId, expiresAt },
      isBeingMade: finishedAt === null && abandonedAt === null,
      holds: await this.holds(imageId),
      dependents: await this.dependents(imageId, now),
      copies: copies
        .filter(({ state }) => state !== 'DELETED')
        .map(({ copy, state, fragments, storedBytes, pinningJobs, isBeingWritten }) => ({
          ...{ copy, fragments, storedBytes, isBeingWritten },
          pins: pinningJobs,
          isGood: state === 'COMPLETE',
          isMarked: state === 'TO_BE_DELETED',
        })),
    };
  }

  async holds(imageId: string): Promise<string[]> {
    const rows = await this.db.query<{ hold: string }[]>(
      'SELECT hold FROM image_hold WHERE image_id = $1 ORDER BY hold',
      [imageId],
    );
    return rows.map(({ hold }) => hold);
  }

  /**
   * Until when something that builds on an image can be taken back, or will be able to: what is not marked yet counts
   * until `ifMarkedNow`. Undefined where nothing can.
   */
  async returnsUntil(imageId: string, ifMarkedNow: Date): Promise<Date | undefined> {
    const [row] = await this.db.query<{ until: Date | null }[]>(RETURNS_UNTIL, [
      imageId,
      ifMarkedNow,
    ]);
    return row?.until ?? undefined;
  }

  /** What an image builds on and nothing brings back. Read it with those images locked. */
  async goneBases(imageId: string): Promise<string[]> {
    const rows = await this.db.query<{ image_id: string }[]>(GONE_BASES, [imageId]);
    return rows.map((row) => row.image_id);
  }

  /**
   * Images whose time is over and of which something is not marked yet, the longest first. However few it returns, it
   * looks at each image that is there.
   */
  async expired(
    now: Date,
    page: { readonly after?: ExpiredCursor | undefined; readonly limit: number },
  ): Promise<ExpiredCursor[]> {
    const { after, limit } = page;
    const rows = await this.db.query<{ image_id: string; expires_at: Date }[]>(EXPIRED, [
      ...[now, after?.expiresAt ?? null, after?.imageId ?? null, limit],
    ]);
    return rows.map((row) => ({ imageId: row.image_id, expiresAt: row.expires_at }));
  }

  private async dependents(imageId: string, now: Date): Promise<string[]> {
    const rows = await this.db.query<{ child: string }[]>(DEPENDENTS, [imageId, now]);
    return rows.map(({ child }) => child);
  }
}
