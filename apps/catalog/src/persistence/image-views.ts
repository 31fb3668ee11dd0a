import type { FragmentView, ImageView } from '#contracts/image.js';
import type { ImageKind } from '#contracts/names.js';
import { prepared } from '#outbox/prepared.js';
import { imageState } from '../domain/image-state.js';
import { EVERY_FRAGMENT, IS_LIVE, toFragmentView, type FragmentRecord } from './fragment-view.js';
import type { NewImage } from './entities/image.entity.js';
import type { Queries } from './queries.js';

/**
 * Counts of an image's numbers over all its copies, beside the image `i`, as `c`: a number counts
 * when it is ACTIVE in some copy, and its file index when it was loaded from whatever copy.
 */
export const WITH_COUNTS = `
  CROSS JOIN LATERAL (
    SELECT count(*) FILTER (WHERE n.active) AS fragments,
      coalesce(sum(n.stored_bytes), 0) AS stored_bytes,
      count(*) FILTER (WHERE n.active AND n.number <= i.fragments_expected) AS committed,
      count(*) FILTER (WHERE n.active AND n.loaded AND n.number <= i.fragments_expected) AS loaded,
      count(*) FILTER (WHERE n.readable AND n.number <= i.fragments_expected) AS readable
    FROM (
      SELECT f.number, bool_or(f.state = 'ACTIVE') AS active,
        bool_or(f.index_loaded_at IS NOT NULL) AS loaded,
        bool_or(f.state = 'ACTIVE' OR f.state = 'DAMAGED' AND f.deletable_at IS NULL
          AND f.given_up_at IS NULL) AS readable,
        max(f.stored_bytes) FILTER (WHERE f.state = 'ACTIVE') AS stored_bytes
      FROM ${EVERY_FRAGMENT} f WHERE f.image_id = i.image_id GROUP BY f.number
    ) n
  ) c`;

/** What COMPLETE means, in the only place that says so. Needs `WITH_COUNTS`. */
export const IS_COMPLETE =
  '(i.fragments_expected IS NOT NULL AND i.abandoned_at IS NULL AND c.loaded = i.fragments_expected)';

/** It was announced as COMPLETE once. */
const WAS_COMPLETE = '(EXISTS (SELECT 1 FROM image_completion d WHERE d.image_id = i.image_id))';

const IS_DAMAGED = `(i.abandoned_at IS NULL AND c.loaded < i.fragments_expected
  AND c.readable = i.fragments_expected AND ${WAS_COMPLETE})`;

/**
 * As of when an image `i` holds its client: when it began. Its id bears the next second that was free, which is later for one
 * of several that began together. A synthetic full holds what the image did that it is dated behind.
 */
export const HELD_SINCE = `(CASE WHEN i.synthetic_of IS NULL THEN i.begun_at
  ELSE least(i.begun_at, to_timestamp(i.backup_time)) END)`;

/** What is to become of an image of which nothing is kept. One that is being made may begin anew. */
const LEAVING = `CASE WHEN ${IS_COMPLETE} OR i.finished_at IS NULL AND i.abandoned_at IS NULL THEN NULL ELSE (
  SELECT json_build_object('state', CASE
      WHEN bool_or(f.can_return) THEN 'TO_BE_DELETED'
      WHEN bool_or(f.state <> 'DELETED') THEN 'DELETING'
      ELSE 'DELETED' END,
    'until', min(f.deletable_at) FILTER (WHERE f.can_return))
  FROM (
    SELECT f.state, f.deletable_at,
      f.state = 'TO_BE_DELETED' OR f.state = 'DAMAGED' AND f.given_up_at IS NULL AS can_return,
      f.state = 'ACTIVE' OR f.state = 'DAMAGED' AND f.deletable_at IS NULL AS kept
    FROM ${EVERY_FRAGMENT} f WHERE f.image_id = i.image_id
  ) f HAVING count(*) > 0 AND NOT bool_or(f.kept)) END`;

const COLUMNS = `i.*, c.fragments, c.stored_bytes, ${IS_COMPLETE} AS complete,
  ${WAS_COMPLETE} AS was_complete, ${IS_DAMAGED} AS damaged,
  (SELECT count(*) FROM image_copy k WHERE k.image_id = i.image_id AND (
     EXISTS (SELECT 1 FROM ${EVERY_FRAGMENT} f
       WHERE f.image_id = k.image_id AND f.copy = k.copy AND f.state <> 'DELETED')
     OR NOT EXISTS (SELECT 1 FROM ${EVERY_FRAGMENT} f
       WHERE f.image_id = k.image_id AND f.copy = k.copy))) AS copies,
  ARRAY(SELECT h.hold FROM image_hold h WHERE h.image_id = i.image_id ORDER BY h.hold) AS holds,
  ${LEAVING} AS leaving`;

/** Where an image's ACTIVE fragments lie. */
export interface ImageMedia {
  readonly media: string[];
  /** Each different set of servers that hold the same fragment. */
  readonly anyOf: string[][];
}

interface ImageRecord {
  readonly image_id: string;
  readonly client: string;
  readonly policy: string;
  readonly schedule: string;
  readonly kind: ImageKind;
  readonly job: string | null;
  readonly backup_time: string;
  readonly expires_at: Date | null;
  readonly keyword: string | null;
  readonly base_image_id: string | null;
  readonly synthetic_of: string | null;
  readonly selections: string[];
  readonly files: string | null;
  readonly bytes: string | null;
  readonly abandoned_at: Date | null;
  readonly fragments: string;
  readonly stored_bytes: string;
  readonly copies: string;
  readonly complete: boolean;
  readonly was_complete: boolean;
  readonly damaged: boolean;
  readonly holds: string[];
  readonly leaving: {
    readonly state: NonNullable<ImageView['leaving']>['state'];
    readonly until: string | null;
  } | null;
}

/** An image for whoever reads it. */
export interface ReadableImage extends ImageView {
  /** It was COMPLETE once, and what it lacks now is damaged. */
  readonly isDamaged: boolean;
  readonly wasComplete: boolean;
}

/** Images as the world sees them, their state counted at the moment of asking. */
export class ImageViews {
  constructor(private readonly db: Queries) {}

  async one(imageId: string): Promise<ImageView | undefined> {
    const [row] = await this.db.query<ImageRecord[]>(
      prepared(`SELECT ${COLUMNS} FROM image i ${WITH_COUNTS} WHERE i.image_id = $1`),
      [imageId],
    );
    return row && toView(row);
  }

  /** The newest first; `before` is an image on whose older side the page begins. */
  async page(filter: {
    readonly client?: string | undefined;
    readonly policy?: string | undefined;
    readonly keyword?: string | undefined;
    readonly before?: string | undefined;
    readonly limit: number;
  }): Promise<ImageView[]> {
    const rows = await this.db.query<ImageRecord[]>(
      `SELECT ${COLUMNS} FROM image i ${WITH_COUNTS}
       WHERE ($1::text IS NULL OR i.client = $1) AND ($2::text IS NULL OR i.policy = $2)
         AND ($5::text IS NULL OR i.keyword = $5)
         AND ($3::text IS NULL OR (i.backup_time, i.image_id) <
           (SELECT b.backup_time, b.image_id FROM image b WHERE b.image_id = $3))
       ORDER BY i.backup_time DESC, i.image_id DESC LIMIT $4`,
      [
        ...[filter.client ?? null, filter.policy ?? null, filter.before ?? null, filter.limit],
        filter.keyword ?? null,
      ],
    );
    return rows.map(toView);
  }

  /** An image and what it builds on, back to the full, in no order. */
  async withAncestors(imageId: string): Promise<ReadableImage[]> {
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
    return rows.map(toReadable);
  }

  /** Those of the images that there are. */
  async many(imageIds: readonly string[]): Promise<ReadableImage[]> {
    const rows = await this.db.query<ImageRecord[]>(
      `SELECT ${COLUMNS} FROM image i ${WITH_COUNTS} WHERE i.image_id = ANY($1::text[])`,
      [imageIds],
    );
    return rows.map(toReadable);
  }

  /** Policies with a COMPLETE image of the client that had begun before a time. */
  async policiesAt(client: string, before: Date): Promise<string[]> {
    const rows = await this.db.query<{ policy: string }[]>(
      `SELECT p.policy FROM (SELECT DISTINCT policy FROM image WHERE client = $1) p
       WHERE EXISTS (SELECT 1 FROM image i ${WITH_COUNTS}
         WHERE i.client = $1 AND i.policy = p.policy AND ${HELD_SINCE} < $2 AND ${IS_COMPLETE})
       ORDER BY p.policy`,
      [client, before],
    );
    return rows.map((row) => row.policy);
  }

  /** The newest COMPLETE image of a client and policy that had begun before a time. */
  async newestAt(client: string, policy: string, before: Date): Promise<string | undefined> {
    const [row] = await this.db.query<{ image_id: string }[]>(
      `SELECT i.image_id FROM image i ${WITH_COUNTS}
       WHERE i.client = $1 AND i.policy = $2 AND ${HELD_SINCE} < $3 AND ${IS_COMPLETE}
       ORDER BY i.backup_time DESC LIMIT 1`,
      [client, policy, before],
    );
    return row?.image_id;
  }

  async hasClient(client: string): Promise<boolean> {
    const rows = await this.db.query<unknown[]>('SELECT 1 FROM image WHERE client = $1 LIMIT 1', [
      client,
    ]);
    return rows.length > 0;
  }

  /** The media servers that hold ACTIVE fragments of any copy of each image, and in which sets. */
  async mediaOf(imageIds: readonly string[]): Promise<ReadonlyMap<string, ImageMedia>> {
    const rows = await this.db.query<{ image_id: string; any_of: string[][] }[]>(
      `SELECT image_id, json_agg(DISTINCT media::text) AS any_of FROM (
         SELECT image_id, json_agg(DISTINCT media_id ORDER BY media_id) AS media FROM fragment
         WHERE image_id = ANY($1::text[]) AND state = 'ACTIVE' GROUP BY image_id, number
       ) AS places GROUP BY image_id`,
      [imageIds],
    );
    return new Map(
      rows.map((row) => {
        const anyOf = row.any_of.map((set) => JSON.parse(String(set)) as string[]);
        return [row.image_id, { media: [...new Set(anyOf.flat())].sort(), anyOf }];
      }),
    );
  }

  /**
   * Fragments of a copy in order of their numbers. Of each number the one that counts, if it is not
   * gone; with `all` every one there ever was, and the page may be longer for the last number's sake.
   */
  async fragments(of: {
    readonly imageId: string;
    readonly copy: number;
    readonly afterNumber: number;
    readonly limit: number;
    readonly all: boolean;
  }): Promise<FragmentView[]> {
    const rows = await this.db.query<FragmentRecord[]>(of.all ? ALL_FRAGMENTS : FRAGMENTS, [
      of.imageId,
      of.copy,
      of.afterNumber,
      of.limit,
    ]);
    return rows.map(toFragmentView);
  }
}

const FRAGMENTS_OF_COPY = `FROM ${EVERY_FRAGMENT} f
  WHERE f.image_id = $1 AND f.copy = $2 AND f.number > $3`;
const ALL_FRAGMENTS = `SELECT f.* ${FRAGMENTS_OF_COPY}
  ORDER BY f.number FETCH FIRST $4 ROWS WITH TIES`;
const FRAGMENTS = `SELECT DISTINCT ON (f.number) f.* ${FRAGMENTS_OF_COPY} AND f.state <> 'DELETED'
  ORDER BY f.number, ${IS_LIVE} DESC, f.committed_at DESC LIMIT $4`;

/** An image that has just been made: it has a copy, and nothing in it. */
export function viewOfNew(image: NewImage): ImageView {
  return {
    ...{ imageId: image.imageId, client: image.client, policy: image.policy },
    ...{ schedule: image.schedule, kind: image.kind, state: 'IN_PROCESS', job: image.job ?? 0 },
    backupTime: new Date(image.backupTime * 1_000).toISOString(),
    expiresAt: image.expiresAt?.toISOString() ?? null,
    ...{ keyword: image.keyword, baseImageId: image.baseImageId, selections: image.selections },
    syntheticOf: image.syntheticOf,
    ...{ files: 0, bytes: 0, storedBytes: 0, fragments: 0, copies: 1, holds: [] },
    leaving: null,
  };
}

function toReadable(row: ImageRecord): ReadableImage {
  return { ...toView(row), isDamaged: row.damaged, wasComplete: row.was_complete };
}

function toView(row: ImageRecord): ImageView {
  return {
    imageId: row.image_id,
    client: row.client,
    policy: row.policy,
    schedule: row.schedule,
    kind: row.kind,
    state: imageState({
      complete: row.complete,
      abandoned: row.abandoned_at !== null,
      wasComplete: row.was_complete,
    }),
    job: Number(row.job ?? 0),
    backupTime: new Date(Number(row.backup_time) * 1_000).toISOString(),
    expiresAt: row.expires_at?.toISOString() ?? null,
    keyword: row.keyword,
    baseImageId: row.base_image_id,
    syntheticOf: row.synthetic_of,
    selections: row.selections,
    files: Number(row.files ?? 0),
    bytes: Number(row.bytes ?? 0),
    storedBytes: Number(row.stored_bytes),
    fragments: Number(row.fragments),
    copies: Number(row.copies),
    holds: row.holds,
    leaving: row.leaving && {
      state: row.leaving.state,
      until: row.leaving.until && new Date(row.leaving.until).toISOString(),
    },
  };
}
