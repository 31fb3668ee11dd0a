import { prepared } from '#outbox/prepared.js';
import { EVERY_FRAGMENT } from './fragment-view.js';
import type { Queries } from './queries.js';

/** A committed fragment whose file index is not loaded yet. */
export interface PendingIndex {
  readonly fragmentId: string;
  readonly imageId: string;
  readonly number: number;
  readonly mediaId: string;
  readonly indexBytes: number;
  /** BLAKE3 of the index object, hex. */
  readonly indexDigest: string;
  readonly image: { readonly number: number; readonly client: string };
  readonly copy: number;
  /** Its number's index is loaded already, from another copy or from what it replaces. */
  readonly isKnown: boolean;
  /** Tries that failed so far. */
  readonly failures: number;
}

interface PendingRow {
  readonly fragment_id: string;
  readonly image_id: string;
  readonly number: number;
  readonly media_id: string;
  readonly index_bytes: string;
  readonly index_digest: string;
  readonly image_number: string;
  readonly client: string;
  readonly copy: number;
  readonly is_known: boolean;
  readonly index_failures: number;
}

/** The index of the number of `f` is in the file tables. All fragments of a number say the same. */
const IS_KNOWN = `EXISTS (
  SELECT 1 FROM image_copy k CROSS JOIN LATERAL (
    SELECT 1 FROM ${EVERY_FRAGMENT} t WHERE t.image_id = k.image_id AND t.copy = k.copy
      AND t.number = f.number AND t.index_loaded_at IS NOT NULL LIMIT 1
  ) t WHERE k.image_id = f.image_id)`;

/**
 * A lower copy can give it as well, and has its turn. The LIMIT leads PostgreSQL to the one fragment by
 * its number: while many wait it would otherwise look through them all, once for each.
 */
const IS_FOR_LOWER_COPY = `EXISTS (
  SELECT 1 FROM generate_series(1, f.copy - 1) k(copy) CROSS JOIN LATERAL (
    SELECT * FROM fragment l WHERE l.image_id = f.image_id AND l.copy = k.copy
      AND l.number = f.number AND l.state = 'ACTIVE' LIMIT 1
  ) l WHERE l.index_loaded_at IS NULL AND l.index_retry_at <= now()
    AND l.media_id <> ALL($3::text[]))`;

const TO_LOAD = `f.index_loaded_at IS NULL AND f.state = 'ACTIVE'`;

/**
 * The media servers with something to load, found by one step of the index for each: those that are
 * left out may have millions of fragments waiting.
 */
const MEDIA_WITH_SOME = `
  WITH RECURSIVE media(media_id) AS (
    SELECT min(f.media_id) FROM fragment f WHERE ${TO_LOAD}
    UNION ALL
    SELECT (SELECT min(f.media_id) FROM fragment f WHERE ${TO_LOAD} AND f.media_id > m.media_id)
    FROM media m WHERE m.media_id IS NOT NULL
  )`;

/**
 * The fragments themselves are the queue of indexes to load: each number's once, from the lowest copy
 * that has it and can be reached.
 */
export class IndexQueue {
  constructor(private readonly db: Queries) {}

  /** Those whose time has come, the oldest first, but for some fragments and media servers. */
  async due(
    limit: number,
    except: { readonly fragments: readonly string[]; readonly media: readonly string[] },
  ): Promise<PendingIndex[]> {
    const rows = await this.db.query<PendingRow[]>(
      `${MEDIA_WITH_SOME}
       SELECT f.*, i.number AS image_number, i.client, ${IS_KNOWN} AS is_known
       FROM media m CROSS JOIN LATERAL (
         SELECT f.* FROM fragment f
         WHERE f.media_id = m.media_id AND ${TO_LOAD} AND f.index_retry_at <= now()
           AND f.fragment_id <> ALL($2::uuid[]) AND NOT ${IS_FOR_LOWER_COPY}
         ORDER BY f.index_retry_at, f.number LIMIT $1
       ) f JOIN image i ON i.image_id = f.image_id
       WHERE m.media_id <> ALL($3::text[])
       ORDER BY f.index_retry_at, f.number LIMIT $1`,
      [limit, except.fragments, except.media],
    );
    return rows.map((row) => ({
      fragmentId: row.fragment_id,
      imageId: row.image_id,
      number: row.number,
      mediaId: row.media_id,
      indexBytes: Number(row.index_bytes),
      indexDigest: row.index_digest,
      image: { number: Number(row.image_number), client: row.client },
      copy: row.copy,
      isKnown: row.is_known,
      failures: row.index_failures,
    }));
  }

  /**
   * Takes an image's number for the rest of the transaction; false if its index is loaded, or another
   * takes it now. The fragment itself is not locked: a load may last.
   */
  async claim({ imageId, number, fragmentId }: PendingIndex): Promise<boolean> {
    const [lock] = await this.db.query<{ is_free: boolean }[]>(
      `SELECT pg_try_advisory_xact_lock(hashtextextended($1, 0)) AS is_free`,
      [`index ${imageId} ${number}`],
    );
    if (!lock?.is_free) return false;
    const rows = await this.db.query<unknown[]>(
      prepared(`SELECT 1 FROM fragment f WHERE f.fragment_id = $1 AND f.index_loaded_at IS NULL
         AND f.state = 'ACTIVE' AND NOT ${IS_KNOWN}`),
      [fragmentId],
    );
    return rows.length > 0;
  }

  /** False if the fragment was given up while it was loaded. Call it with the image locked. */
  async markLoaded(fragmentId: string): Promise<boolean> {
    const rows = await this.db.query<unknown[]>(
      `WITH marked AS (
         UPDATE fragment SET index_loaded_at = now(), index_error = NULL
         WHERE fragment_id = $1 AND given_up_at IS NULL RETURNING 1
       ) SELECT 1 FROM marked`,
      [fragmentId],
    );
    return rows.length > 0;
  }

  /** Marks what of a copy needs no load. Call it with the image locked. */
  async markKnown(imageId: string, copy: number): Promise<void> {
    await this.db.query(
      `UPDATE fragment f SET index_loaded_at = now(), index_error = NULL
       WHERE f.image_id = $1 AND f.copy = $2 AND f.state = 'ACTIVE'
         AND f.index_loaded_at IS NULL AND ${IS_KNOWN}`,
      [imageId, copy],
    );
  }

  /** Remembers why a load failed, and when the next try is due. */
  async markFailed(fragmentId: string, error: string, retryMs: number): Promise<void> {
    await this.db.query(
      `UPDATE fragment SET index_error = $2, index_failures = index_failures + 1,
         index_retry_at = now() + $3 * interval '1 millisecond'
       WHERE fragment_id = $1 AND index_loaded_at IS NULL`,
      [fragmentId, error, retryMs],
    );
  }
}
