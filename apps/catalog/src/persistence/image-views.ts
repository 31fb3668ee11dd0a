import type { EntityManager } from 'typeorm';
import type { FragmentView, ImageView } from '#contracts/image.js';
import type { ImageKind } from '#contracts/names.js';
import { imageState } from '../domain/image-state.js';

/** Counts of the fragments of an image's first copy, beside the image `i`, as `c`. */
export const WITH_COUNTS = `
  CROSS JOIN LATERAL (
    SELECT count(*) AS fragments, coalesce(sum(f.stored_bytes), 0) AS stored_bytes,
      count(*) FILTER (WHERE f.number <= i.fragments_expected) AS committed,
      count(*) FILTER (WHERE f.number <= i.fragments_expected
        AND f.index_loaded_at IS NOT NULL) AS loaded
    FROM fragment f WHERE f.image_id = i.image_id AND f.copy = 1 AND f.state = 'ACTIVE'
  ) c`;

/** What COMPLETE means, in the only place that says so. Needs `WITH_COUNTS`. */
export const IS_COMPLETE =
  '(i.fragments_expected IS NOT NULL AND i.abandoned_at IS NULL AND c.loaded = i.fragments_expected)';

const COLUMNS = `i.*, c.fragments, c.stored_bytes, ${IS_COMPLETE} AS complete,
  (SELECT count(*) FROM image_copy k WHERE k.image_id = i.image_id) AS copies`;

interface ImageRecord {
  readonly image_id: string;
  readonly client: string;
  readonly policy: string;
  readonly schedule: string;
  readonly kind: ImageKind;
  readonly job: string;
  readonly backup_time: string;
  readonly expires_at: Date;
  readonly base_image_id: string | null;
  readonly selections: string[];
  readonly files: string | null;
  readonly bytes: string | null;
  readonly abandoned_at: Date | null;
  readonly fragments: string;
  readonly stored_bytes: string;
  readonly copies: string;
  readonly complete: boolean;
}

/** Images as the world sees them, their state counted at the moment of asking. */
export class ImageViews {
  constructor(private readonly db: Pick<EntityManager, 'query'>) {}

  async one(imageId: string): Promise<ImageView | undefined> {
    const [row] = await this.db.query<ImageRecord[]>(
      `SELECT ${COLUMNS} FROM image i ${WITH_COUNTS} WHERE i.image_id = $1`,
      [imageId],
    );
    return row && toView(row);
  }

  /** The newest first; `before` is an image on whose older side the page begins. */
  async page(filter: {
    readonly client?: string | undefined;
    readonly policy?: string | undefined;
    readonly before?: string | undefined;
    readonly limit: number;
  }): Promise<ImageView[]> {
    const rows = await this.db.query<ImageRecord[]>(
      `SELECT ${COLUMNS} FROM image i ${WITH_COUNTS}
       WHERE ($1::text IS NULL OR i.client = $1) AND ($2::text IS NULL OR i.policy = $2)
         AND ($3::text IS NULL OR (i.backup_time, i.image_id) <
           (SELECT b.backup_time, b.image_id FROM image b WHERE b.image_id = $3))
       ORDER BY i.backup_time DESC, i.image_id DESC LIMIT $4`,
      [filter.client ?? null, filter.policy ?? null, filter.before ?? null, filter.limit],
    );
    return rows.map(toView);
  }

  /** An image and what it builds on, back to the full, in no order. */
  async withAncestors(imageId: string): Promise<ImageView[]> {
    const rows = await this.db.query<ImageRecord[]>(
      `WITH RECURSIVE chain AS (
         SELECT image_id, base_image_id FROM image WHERE image_id = $1
         UNION
         SELECT b.image_id, b.base_image_id
         FROM chain JOIN image b ON b.image_id = chain.base_image_id
       )
       SELECT ${COLUMNS} FROM chain JOIN image i ON i.image_id = chain.image_id ${WITH_COUNTS}`,
      [imageId],
    );
    return rows.map(toView);
  }

  /** Policies with a COMPLETE image of the client at or before a time (unix seconds). */
  async policiesAt(client: string, at: number): Promise<string[]> {
    const rows = await this.db.query<{ policy: string }[]>(
      `SELECT p.policy FROM (SELECT DISTINCT policy FROM image WHERE client = $1) p
       WHERE EXISTS (SELECT 1 FROM image i ${WITH_COUNTS}
         WHERE i.client = $1 AND i.policy = p.policy AND i.backup_time <= $2 AND ${IS_COMPLETE})
       ORDER BY p.policy`,
      [client, at],
    );
    return rows.map((row) => row.policy);
  }

  /** The newest COMPLETE image of a client and policy at or before a time (unix seconds). */
  async newestAt(client: string, policy: string, at: number): Promise<string | undefined> {
    const [row] = await this.db.query<{ image_id: string }[]>(
      `SELECT i.image_id FROM image i ${WITH_COUNTS}
       WHERE i.client = $1 AND i.policy = $2 AND i.backup_time <= $3 AND ${IS_COMPLETE}
       ORDER BY i.backup_time DESC LIMIT 1`,
      [client, policy, at],
    );
    return row?.image_id;
  }

  async hasClient(client: string): Promise<boolean> {
    const rows = await this.db.query<unknown[]>('SELECT 1 FROM image WHERE client = $1 LIMIT 1', [
      client,
    ]);
    return rows.length > 0;
  }

  /** The media servers that hold ACTIVE fragments of each image's first copy. */
  async mediaOf(imageIds: readonly string[]): Promise<ReadonlyMap<string, string[]>> {
    const rows = await this.db.query<{ image_id: string; media: string[] }[]>(
      `SELECT image_id, array_agg(DISTINCT media_id ORDER BY media_id) AS media FROM fragment
       WHERE image_id = ANY($1::text[]) AND copy = 1 AND state = 'ACTIVE' GROUP BY image_id`,
      [imageIds],
    );
    return new Map(rows.map((row) => [row.image_id, row.media]));
  }

  /** Fragments of a copy in order of their numbers, those that are gone left out. */
  async fragments(of: {
    readonly imageId: string;
    readonly copy: number;
    readonly afterNumber: number;
    readonly limit: number;
  }): Promise<FragmentView[]> {
    const rows = await this.db.query<FragmentRecord[]>(
      `SELECT * FROM fragment
       WHERE image_id = $1 AND copy = $2 AND number > $3 AND state <> 'DELETED'
       ORDER BY number, committed_at LIMIT $4`,
      [of.imageId, of.copy, of.afterNumber, of.limit],
    );
    return rows.map(toFragmentView);
  }
}

interface FragmentRecord {
  readonly fragment_id: string;
  readonly image_id: string;
  readonly copy: number;
  readonly number: number;
  readonly attempt: string;
  readonly state: FragmentView['state'];
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

function toView(row: ImageRecord): ImageView {
  return {
    imageId: row.image_id,
    client: row.client,
    policy: row.policy,
    schedule: row.schedule,
    kind: row.kind,
    state: imageState({ complete: row.complete, abandoned: row.abandoned_at !== null }),
    job: Number(row.job),
    backupTime: new Date(Number(row.backup_time) * 1_000).toISOString(),
    expiresAt: row.expires_at.toISOString(),
    baseImageId: row.base_image_id,
    selections: row.selections,
    files: Number(row.files ?? 0),
    bytes: Number(row.bytes ?? 0),
    storedBytes: Number(row.stored_bytes),
    fragments: Number(row.fragments),
    copies: Number(row.copies),
    holds: [],
  };
}

function toFragmentView(row: FragmentRecord): FragmentView {
  return {
    fragmentId: row.fragment_id,
    imageId: row.image_id,
    copy: row.copy,
    number: row.number,
    attempt: Number(row.attempt),
    state: row.state,
    stateReason: '',
    deletableAt: null,
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
