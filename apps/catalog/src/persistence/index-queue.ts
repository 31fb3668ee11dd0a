import type { EntityManager } from 'typeorm';

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
  readonly index_failures: number;
}

/**
 * The fragments themselves are the queue of indexes to load. Of an image's copies the first one's
 * indexes are loaded: the others say the same.
 */
export class IndexQueue {
  constructor(private readonly db: Pick<EntityManager, 'query'>) {}

  /** Those whose time has come, the oldest first, but for some fragments and media servers. */
  async due(
    limit: number,
    except: { readonly fragments: readonly string[]; readonly media: readonly string[] },
  ): Promise<PendingIndex[]> {
    const rows = await this.db.query<PendingRow[]>(
      `SELECT f.*, i.number AS image_number, i.client
       FROM fragment f JOIN image i ON i.image_id = f.image_id
       WHERE f.index_loaded_at IS NULL AND f.state = 'ACTIVE' AND f.copy = 1
         AND f.index_retry_at <= now() AND f.fragment_id <> ALL($2::uuid[])
         AND f.media_id <> ALL($3::text[])
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
      failures: row.index_failures,
    }));
  }

  /** Takes one for the rest of the transaction; false if it is loaded, or another takes it now. */
  async claim(fragmentId: string): Promise<boolean> {
    const rows = await this.db.query<unknown[]>(
      `SELECT 1 FROM fragment WHERE fragment_id = $1 AND index_loaded_at IS NULL
       AND state = 'ACTIVE' FOR NO KEY UPDATE SKIP LOCKED`,
      [fragmentId],
    );
    return rows.length > 0;
  }

  async markLoaded(fragmentId: string): Promise<void> {
    await this.db.query(
      `UPDATE fragment SET index_loaded_at = now(), index_error = NULL WHERE fragment_id = $1`,
      [fragmentId],
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
