import { prepared } from '#outbox/prepared.js';
import type { CopyView } from '#contracts/catalog/copy.js';
import type { CopyToChoose } from '../../domain/copy-choice.js';
import { copyState, type CopyCounts } from '../../domain/copy-state.js';
import { ERA } from '../catalog-epoch.js';
import { EVERY_FRAGMENT } from '../fragment-view.js';
import type { Queries } from '../queries.js';
import { NEXT_FENCE } from './next-fence.js';

/** A copy with everything that is counted of it. */
export interface CopyFound extends CopyToChoose, CopyCounts {
  /** The fence. */
  readonly attempt: number;
  /** The attempt of the job that it was granted to. */
  readonly jobAttempt: number;
  readonly completedAttempt: number | null;
  /** Running jobs that read it. */
  readonly pinningJobs: number;
  /** What deleting it would free. */
  readonly storedBytes: number;
  /** Fragments that are neither gone nor on their way out. */
  readonly fragments: number;
  readonly view: CopyView;
}

/** Who writes a copy from now on. */
export interface CopyWriter {
  readonly job: number;
  readonly jobAttempt: number;
  readonly unit: string;
  readonly pool: string;
  readonly mediaId: string;
}

const IS_KEPT = `(f.state = 'ACTIVE' OR f.state = 'DAMAGED' AND f.deletable_at IS NULL)`;

/** `is_written`: its job holds pins, or it is the first copy of a backup that runs. */
const COPIES = `
  SELECT c.*, i.fragments_expected, i.expires_at, n.*, p.pinned, p.pinning_jobs,
    EXISTS (SELECT 1 FROM pin w WHERE w.job = c.job)
      OR c.copy = 1 AND i.finished_at IS NULL AND i.abandoned_at IS NULL AS is_written
  FROM image i JOIN image_copy c ON c.image_id = i.image_id
  CROSS JOIN LATERAL (
    SELECT
      count(*) FILTER (WHERE f.state = 'ACTIVE'
        AND f.number <= i.fragments_expected) AS active,
      count(*) FILTER (WHERE f.state IN ('ACTIVE', 'TO_BE_DELETED')) AS live,
      count(*) FILTER (WHERE ${IS_KEPT}) AS kept,
      count(*) FILTER (WHERE f.state <> 'DELETED' AND NOT ${IS_KEPT}) AS leaving,
      count(*) FILTER (WHERE f.state = 'DELETED') AS deleted,
      count(*) FILTER (WHERE f.state = 'DAMAGED' AND f.deletable_at IS NULL
        AND NOT EXISTS (SELECT 1 FROM fragment l WHERE l.image_id = f.image_id
          AND l.copy = f.copy AND l.number = f.number
          AND l.state IN ('ACTIVE', 'TO_BE_DELETED'))) AS damaged,
      coalesce(sum(f.stored_bytes) FILTER (WHERE f.state IN
        ('ACTIVE', 'TO_BE_DELETED')), 0) AS stored_bytes,
      coalesce(sum(f.stored_bytes) FILTER (WHERE ${IS_KEPT}), 0) AS kept_bytes
    FROM ${EVERY_FRAGMENT} f WHERE f.image_id = c.image_id AND f.copy = c.copy
  ) n
  CROSS JOIN LATERAL (
    SELECT count(DISTINCT h.fragment_id) AS pinned, count(DISTINCT h.job) AS pinning_jobs
    FROM fragment f JOIN pin h ON h.fragment_id = f.fragment_id
    WHERE f.image_id = c.image_id AND f.copy = c.copy AND f.state IN ('ACTIVE', 'TO_BE_DELETED')
  ) p
  WHERE i.image_id = $1 ORDER BY c.copy`;

/** The copies of images, read and written. */
export class Copies {
  constructor(private readonly db: Queries) {}

  /** All copies of an image, deleted ones too, by number. None for an unknown image. */
  async of(imageId: string): Promise<CopyFound[]> {
    const rows = await this.db.query<CopyRecord[]>(COPIES, [imageId]);
    return rows.map(toFound);
  }

  /**
   * Marks the first copy of an image that is complete, if it is the only one: then it holds all of it. False
   * where there are several, which have to be counted.
   */
  async markOnlyOne(imageId: string): Promise<boolean> {
    const rows = await this.db.query<unknown[]>(
      prepared(`WITH marked AS (
         UPDATE image_copy c SET completed_attempt = attempt
         WHERE c.image_id = $1 AND c.copy = 1 AND NOT EXISTS
           (SELECT 1 FROM image_copy k WHERE k.image_id = c.image_id AND k.copy > 1)
         RETURNING 1
       ) SELECT 1 FROM marked`),
      [imageId],
    );
    return rows.length > 0;
  }

  /** Keeps commits to an image's copies waiting until the transaction ends. */
  async lock(imageId: string): Promise<void> {
    await this.db.query(
      `SELECT 1 FROM image_copy WHERE image_id = $1 ORDER BY copy FOR NO KEY UPDATE`,
      [imageId],
    );
  }

  /** Makes a copy, or takes a deleted one's number: its fence, which is returned, rises all the same. */
  async make(imageId: string, copy: number, writer: CopyWriter): Promise<number> {
    const { job, jobAttempt, unit, pool, mediaId } = writer;
    const [row] = await this.db.query<{ attempt: string }[]>(
      `INSERT INTO image_copy AS c (image_id, copy, attempt, job_attempt, unit, pool, media_id, job,
         begun_at, granted_in)
       VALUES ($1, $2, 1, $3, $4, $5, $6, $7, now(), ${ERA})
       ON CONFLICT (image_id, copy) DO UPDATE SET attempt = ${NEXT_FENCE},
         job_attempt = excluded.job_attempt, unit = excluded.unit, pool = excluded.pool,
         media_id = excluded.media_id, job = excluded.job, begun_at = excluded.begun_at,
         completed_attempt = NULL, granted_in = excluded.granted_in
       RETURNING c.attempt`,
      [imageId, copy, jobAttempt, unit, pool, mediaId, job],
    );
    return Number(row!.attempt);
  }

  /**
   * Grants a copy to another attempt or job: whatever an older one still offers is FENCED. Returns the
   * new fence.
   */
  async grant(imageId: string, copy: number, writer: CopyWriter): Promise<number> {
    const { job, jobAttempt, unit, pool, mediaId } = writer;
    const [row] = await this.db.query<{ attempt: string }[]>(
      `WITH granted AS (
         UPDATE image_copy c SET attempt = ${NEXT_FENCE}, granted_in = ${ERA},
           job_attempt = $3, unit = $4, pool = $5, media_id = $6, job = $7
         WHERE image_id = $1 AND copy = $2 RETURNING attempt
       ) SELECT attempt FROM granted`,
      [imageId, copy, jobAttempt, unit, pool, mediaId, job],
    );
    return Number(row!.attempt);
  }

  /** Lets nobody commit to the copies any more, until they are granted again. */
  async close(imageId: string, copies: readonly number[]): Promise<void> {
    await this.db.query(
      `UPDATE image_copy c SET attempt = ${NEXT_FENCE}, granted_in = ${ERA},
         completed_attempt = CASE completed_attempt WHEN attempt THEN ${NEXT_FENCE}
           ELSE completed_attempt END
       WHERE image_id = $1 AND copy = ANY($2::int[])`,
      [imageId, copies],
    );
  }

  /** Remembers that it was counted complete under its fence. */
  async markCompleted(imageId: string, copy: number): Promise<void> {
    await this.db.query(
      `UPDATE image_copy SET completed_attempt = attempt WHERE image_id = $1 AND copy = $2`,
      [imageId, copy],
    );
  }
}

interface CopyRecord {
  readonly image_id: string;
  readonly copy: number;
  readonly attempt: string;
  readonly job_attempt: number;
  readonly unit: string;
  readonly pool: string;
  readonly media_id: string;
  readonly job: string | null;
  readonly completed_attempt: string | null;
  readonly fragments_expected: number | null;
  readonly expires_at: Date | null;
  readonly active: string;
  readonly live: string;
  readonly kept: string;
  readonly leaving: string;
  readonly deleted: string;
  readonly damaged: string;
  readonly stored_bytes: string;
  readonly kept_bytes: string;
  readonly pinned: string;
  readonly pinning_jobs: string;
  readonly is_written: boolean;
}

function toFound(row: CopyRecord): CopyFound {
  const { copy, pool } = row;
  const counts: CopyCounts = {
    fragmentsExpected: row.fragments_expected,
    active: Number(row.active),
    kept: Number(row.kept),
    leaving: Number(row.leaving),
    deleted: Number(row.deleted),
    wasComplete: row.completed_attempt !== null,
    isBeingWritten: row.is_written,
  };
  const state = copyState(counts);
  return {
    ...counts,
    ...{ copy, pool, state },
    job: row.job === null ? null : Number(row.job),
    attempt: Number(row.attempt),
    jobAttempt: row.job_attempt,
    completedAttempt: row.completed_attempt === null ? null : Number(row.completed_attempt),
    pinningJobs: Number(row.pinning_jobs),
    storedBytes: Number(row.kept_bytes),
    fragments: counts.kept,
    view: toView(row, state),
  };
}

function toView(row: CopyRecord, state: CopyView['state']): CopyView {
  return {
    imageId: row.image_id,
    copy: row.copy,
    state,
    unit: row.unit,
    pool: row.pool,
    mediaId: row.media_id,
    job: Number(row.job ?? 0),
    attempt: Number(row.attempt),
    fragments: Number(row.live),
    fragmentsExpected: row.fragments_expected,
    damaged: Number(row.damaged),
    pinned: Number(row.pinned),
    storedBytes: Number(row.stored_bytes),
    expiresAt: row.expires_at?.toISOString() ?? null,
  };
}
