import type { EntityManager } from 'typeorm';
import type { FragmentCommit } from '#contracts/fragment.js';
import type { ImportedImage } from '../../domain/imported-image.js';
import { Gaps } from '../copies/gaps.js';

/** Puts images back that lie on media servers, inside a transaction. What is known is left as it is. */
export class ImportedImages {
  constructor(private readonly db: EntityManager) {}

  /** True if the image was not known. Until its last manifest comes it counts as INCOMPLETE. */
  async add(image: ImportedImage): Promise<boolean> {
    const rows = await this.db.query<unknown[]>(
      `INSERT INTO image (image_id, client, policy, schedule, kind, job, backup_time, retention,
         expires_at, base_image_id, chain_length, selections, selection_set, keyword, run_group,
         group_streams, synthetic_of, begun_at, abandoned_at)
       VALUES ($1, $2, $3, $4, $5, NULL, $6, $7, $8, $9, 1, $10, $11, $12, $13, $14, $15,
         to_timestamp($6::bigint), now())
       ON CONFLICT DO NOTHING RETURNING 1`,
      [
        ...[image.imageId, image.client, image.policy, image.schedule, image.kind],
        ...[image.backupTime, image.retention, image.expiresAt, image.baseImageId],
        ...[image.selections, image.selectionSet, image.keyword],
        ...[image.group, image.groupStreams, image.syntheticOf],
      ],
    );
    return rows.length > 0;
  }

  /**
   * What the last manifest says, for an image that was put back. Of several the one of a further copy
   * counts, which was made from a complete image, then that of the latest attempt. When it expires is
   * only taken until it is finished once, and never for sooner: people may have decided otherwise since.
   */
  async finish(image: ImportedImage, last: FragmentCommit): Promise<void> {
    if (image.totals === null) return;
    const { fragments, files, bytes } = image.totals;
    await this.db.query(
      `UPDATE image SET kind = $2, schedule = $3, retention = $4,
         expires_at = CASE WHEN finished_at IS NOT NULL THEN expires_at
           WHEN expires_at IS NULL OR $5::timestamptz IS NULL THEN NULL
           ELSE greatest(expires_at, $5) END,
         base_image_id = $6, selections = $7, selection_set = $8, fragments_expected = $9,
         files = $10, bytes = $11, keyword = $15, run_group = $16, group_streams = $17,
         synthetic_of = $18,
         finished_at = coalesce(finished_at, now()), abandoned_at = NULL
       WHERE image_id = $1 AND job IS NULL AND (fragments_expected IS NULL OR NOT EXISTS (
         SELECT 1 FROM fragment f WHERE f.image_id = $1 AND f.last AND f.fragment_id <> $12
           AND f.state = 'ACTIVE' AND (f.copy > 1 OR $13 = 1 AND f.attempt > $14)))`,
      [
        ...[image.imageId, image.kind, image.schedule, image.retention, image.expiresAt],
        ...[image.baseImageId, image.selections, image.selectionSet, fragments, files, bytes],
        ...[last.fragmentId, last.copy, last.attempt],
        ...[image.keyword, image.group, image.groupStreams, image.syntheticOf],
      ],
    );
  }

  /** Those of the fragments whose copy a job wrote, and at another attempt than this one. */
  async fenced(commits: readonly FragmentCommit[]): Promise<ReadonlySet<string>> {
    const rows = await this.db.query<{ fragment_id: string }[]>(
      `SELECT o.fragment_id FROM unnest($1::text[], $2::int[], $3::bigint[], $4::text[])
         AS o(image_id, copy, attempt, fragment_id)
       JOIN image_copy c ON c.image_id = o.image_id AND c.copy = o.copy
       WHERE c.job IS NOT NULL AND c.attempt <> o.attempt
       ORDER BY c.image_id, c.copy FOR SHARE OF c`,
      [
        commits.map(({ imageId }) => imageId),
        commits.map(({ copy }) => copy),
        commits.map(({ attempt }) => attempt),
        commits.map(({ fragmentId }) => fragmentId),
      ],
    );
    return new Set(rows.map((row) => row.fragment_id));
  }

  /**
   * Frees the numbers of these fragments, where an earlier attempt's were put back before. If that was
   * the last one, nobody knows any more how many there are. Call it with the images locked.
   */
  async supersede(commits: readonly FragmentCommit[]): Promise<void> {
    const gone = await this.db.query<{ image_id: string; last: boolean; copy: number }[]>(
      `WITH gone AS (
         UPDATE fragment f SET state = 'DAMAGED', given_up_at = now(),
           state_reason = 'a later attempt wrote its number anew'
         FROM unnest($1::text[], $2::int[], $3::int[], $4::bigint[])
           AS o(image_id, copy, number, attempt)
         JOIN image_copy c ON c.image_id = o.image_id AND c.copy = o.copy
         WHERE f.image_id = o.image_id AND f.copy = o.copy AND f.number = o.number
           AND f.state = 'ACTIVE' AND f.attempt < o.attempt AND c.job IS NULL
         RETURNING f.image_id, f.last, f.copy
       ) SELECT * FROM gone`,
      [
        commits.map(({ imageId }) => imageId),
        commits.map(({ copy }) => copy),
        commits.map(({ number }) => number),
        commits.map(({ attempt }) => attempt),
      ],
    );
    if (gone.length === 0) return;
    await new Gaps(this.db).loadAnew(gone.map((row) => row.image_id));
    await this.db.query(
      `UPDATE image SET fragments_expected = NULL, files = NULL, bytes = NULL, finished_at = NULL,
         abandoned_at = now()
       WHERE image_id = ANY($1::text[]) AND job IS NULL AND NOT EXISTS (
         SELECT 1 FROM fragment f WHERE f.image_id = image.image_id AND f.last
           AND f.copy > 1 AND f.state = 'ACTIVE')`,
      [gone.filter(({ last }) => last).map((row) => row.image_id)],
    );
  }

  /** The copy that a fragment belongs to, its fence at least at the fragment's attempt. */
  async addCopy({ imageId, copy, attempt, pool, mediaId }: FragmentCommit): Promise<void> {
    await this.db.query(
      `INSERT INTO image_copy AS known (image_id, copy, attempt, job_attempt, unit, pool, media_id)
       VALUES ($1, $2, $3, 1, 'imported', $4, $5)
       ON CONFLICT (image_id, copy) DO UPDATE SET attempt = greatest(known.attempt, $3)
       WHERE known.job IS NULL`,
      [imageId, copy, attempt, pool, mediaId],
    );
  }

  /** Which of the fragments the catalog has, in whatever state. */
  async known(fragmentIds: readonly string[]): Promise<ReadonlySet<string>> {
    const rows = await this.db.query<{ fragment_id: string }[]>(
      'SELECT fragment_id FROM fragment WHERE fragment_id = ANY($1::uuid[])',
      [fragmentIds],
    );
    return new Set(rows.map((row) => row.fragment_id));
  }

  /** Counts anew how many images a restore of each reads, where what it builds on came in later. */
  async mendChains(): Promise<void> {
    await this.db.query(
      `WITH RECURSIVE chain AS (
         SELECT image_id, 1 AS length FROM image WHERE base_image_id IS NULL
         UNION ALL
         SELECT i.image_id, chain.length + 1
         FROM chain JOIN image i ON i.base_image_id = chain.image_id
       )
       UPDATE image SET chain_length = chain.length FROM chain
       WHERE chain.image_id = image.image_id AND image.chain_length <> chain.length`,
    );
  }
}
