import type { EntityManager, ObjectLiteral } from 'typeorm';
import { prepared } from '#outbox/prepared.js';
import type { ImageProgress } from '../domain/image-state.js';
import type { BaseCandidate } from '../domain/base.js';
import type { CommittedPiece } from '../domain/resume.js';
import { GIVEN_UP } from './care/job-numbers.js';
import { ERA } from './catalog-epoch.js';
import { NEXT_FENCE } from './copies/next-fence.js';
import { ImageCopyRow } from './entities/image-copy.entity.js';
import { ImageRow, type NewImage } from './entities/image.entity.js';
import { EVERY_FRAGMENT } from './fragment-view.js';
import { IS_COMPLETE, WITH_COUNTS } from './image-views.js';
import { insertRow, readRows, updateRow } from './entity-rows.js';

/** What a backup must share with another to build on it. */
export interface Lineage {
  readonly client: string;
  readonly policy: string;
  readonly selectionSet: readonly string[];
}

/** A job, and what all its images are of. */
export interface Maker {
  readonly job: number;
  readonly client: string;
  readonly policy: string;
}

/** A locked image, as far as whoever loads its files needs to know it. */
export interface HeldImage {
  readonly number: number;
  /** Its backup has said how many fragments there are. */
  readonly isFinished: boolean;
}

/** The image $1 and what it builds on, back to the full, as `line`; a ring of bases comes to an end, too. */
export const LINE = `WITH RECURSIVE line AS (
    SELECT image_id, base_image_id FROM image WHERE image_id = $1
    UNION
    SELECT b.image_id, b.base_image_id FROM line JOIN image b ON b.image_id = line.base_image_id
  )`;

/** A chain that leads back to no full lacks something. */
const LAST_COMPLETE = `
  WITH RECURSIVE last AS (
    SELECT i.image_id, i.chain_length, i.base_image_id FROM image i ${WITH_COUNTS}
    WHERE i.client = $1 AND i.policy = $2 AND i.selection_set = $3::text[]
      AND ($4 = 'any' OR i.kind = $4) AND i.backup_time <= $5 AND ${IS_COMPLETE}
    ORDER BY i.backup_time DESC LIMIT 1
  ), chain AS (
    SELECT image_id, base_image_id FROM last
    UNION
    SELECT b.image_id, b.base_image_id
    FROM chain JOIN image b ON b.image_id = chain.base_image_id
  )
  SELECT last.image_id, last.chain_length,
    EXISTS (SELECT 1 FROM chain WHERE base_image_id IS NULL) AND NOT EXISTS (
      SELECT 1 FROM chain JOIN image i ON i.image_id = chain.image_id ${WITH_COUNTS}
      WHERE i.image_id <> last.image_id AND NOT ${IS_COMPLETE}) AS has_whole_chain
  FROM last`;

/** Changes to images and their copies, inside a transaction. */
export class Images {
  constructor(private readonly db: EntityManager) {}

  /** One backup of a client begins at a time, so that ids and bases are chosen one after another. */
  async lockClient(client: string): Promise<void> {
    await this.db.query(`SELECT pg_advisory_xact_lock(hashtext('client'), hashtext($1))`, [client]);
  }

  /** The newest image that a job made; none of another client or policy, see `disown`. */
  latestOf({ job, client, policy }: Maker): Promise<ImageRow | undefined> {
    return this.first(
      ImageRow,
      'WHERE job = $1 AND client = $2 AND policy = $3 ORDER BY number DESC LIMIT 1',
      [job, client, policy],
    );
  }

  /**
   * A job makes images of one client and policy. Others with its number are of a job manager that has lost its
   * jobs and counts anew: they are nobody's from now on, as if they had been imported.
   */
  async disown({ job, client, policy }: Maker): Promise<void> {
    await this.db.query(
      `WITH strange AS (
         UPDATE image SET job = NULL, ${GIVEN_UP}
         WHERE job = $1 AND (client <> $2 OR policy <> $3) RETURNING image_id
       ) UPDATE image_copy c SET job = NULL FROM strange s
       WHERE c.image_id = s.image_id AND c.job = $1`,
      [job, client, policy],
    );
  }

  find(imageId: string): Promise<ImageRow | undefined> {
    return this.first(ImageRow, 'WHERE image_id = $1', [imageId]);
  }

  /** The image, locked: who changes or counts it does so one after another. */
  lock(imageId: string): Promise<ImageRow | undefined> {
    return this.first(ImageRow, 'WHERE image_id = $1 FOR NO KEY UPDATE', [imageId]);
  }

  /** The image, locked with all that it builds on, in the order in which `holdAll` locks. */
  async lockLine(imageId: string): Promise<ImageRow | undefined> {
    await this.db.query(
      `${LINE} SELECT 1 FROM image WHERE image_id IN (SELECT image_id FROM line)
       ORDER BY image_id FOR NO KEY UPDATE`,
      [imageId],
    );
    return this.find(imageId);
  }

  /** Locks the image for whoever needs nothing of it. */
  async hold(imageId: string): Promise<void> {
    await this.db.query(prepared('SELECT 1 FROM image WHERE image_id = $1 FOR NO KEY UPDATE'), [
      imageId,
    ]);
  }

  /** Locks images, in one order everywhere. Those that there are not are left out. */
  async holdAll(imageIds: readonly string[]): Promise<ReadonlyMap<string, HeldImage>> {
    if (imageIds.length === 0) return new Map();
    const rows = await this.db.query<{ image_id: string; number: string; is_finished: boolean }[]>(
      prepared(`SELECT image_id, number, fragments_expected IS NOT NULL AS is_finished
       FROM image WHERE image_id = ANY($1::text[]) ORDER BY image_id FOR NO KEY UPDATE`),
      [imageIds],
    );
    return new Map(
      rows.map((row) => [
        row.image_id,
        { number: Number(row.number), isFinished: row.is_finished },
      ]),
    );
  }

  /** The fence of a copy; undefined where there is none. */
  async fence(imageId: string, copy: number): Promise<number | undefined> {
    const [row] = await this.db.query<{ attempt: string }[]>(
      prepared('SELECT attempt FROM image_copy WHERE image_id = $1 AND copy = $2'),
      [imageId, copy],
    );
    return row && Number(row.attempt);
  }

  copy(imageId: string, copy: number): Promise<ImageCopyRow | undefined> {
    return this.first(ImageCopyRow, 'WHERE image_id = $1 AND copy = $2', [imageId, copy]);
  }

  async insert(image: NewImage, copy: Omit<ImageCopyRow, 'grantedIn'>): Promise<void> {
    await insertRow(this.db, ImageRow, image);
    await insertRow(this.db, ImageCopyRow, copy, { grantedIn: ERA });
  }

  async save(imageId: string, changes: Partial<Omit<ImageRow, 'number'>>): Promise<void> {
    await updateRow(this.db, ImageRow, ['imageId', imageId], changes);
  }

  /** Grants a copy to the next attempt: whatever an older one still offers is FENCED from now on. */
  async raiseFence(
    imageId: string,
    copy: number,
    writer: { attempt: number; unit: string; pool: string; mediaId: string },
  ): Promise<void> {
    const { attempt, unit, pool, mediaId } = writer;
    await this.db.query(
      `UPDATE image_copy c SET attempt = ${NEXT_FENCE}, granted_in = ${ERA},
         job_attempt = $3, unit = $4, pool = $5, media_id = $6
       WHERE image_id = $1 AND copy = $2`,
      [imageId, copy, attempt, unit, pool, mediaId],
    );
  }

  /**
   * Whether a lineage has an image whose time lies between that of `tip` and `before` (unix seconds), and which
   * is at work or may be restored: not one that was abandoned or is gone. Synthetic fulls of `tip` hold what it does.
   */
  async hasBetween(
    lineage: Lineage,
    tip: Pick<ImageRow, 'imageId' | 'backupTime'>,
    before: number,
  ): Promise<boolean> {
    const { client, policy, selectionSet } = lineage;
    const rows = await this.db.query<unknown[]>(
      prepared(`SELECT 1 FROM image i WHERE client = $1 AND backup_time > $2 AND backup_time < $3
         AND policy = $4 AND selection_set = $5::text[]
         AND abandoned_at IS NULL AND synthetic_of IS DISTINCT FROM $6
         AND (finished_at IS NULL OR EXISTS (SELECT 1 FROM ${EVERY_FRAGMENT} f
           WHERE f.image_id = i.image_id AND f.state IN ('ACTIVE', 'TO_BE_DELETED', 'DAMAGED')))
         LIMIT 1`),
      [client, tip.backupTime, before, policy, selectionSet, tip.imageId],
    );
    return rows.length > 0;
  }

  /** Backup times of the client from `from` on, in unix seconds. */
  async backupTimesFrom(client: string, from: number): Promise<number[]> {
    const rows = await this.db.query<{ backup_time: string }[]>(
      prepared('SELECT backup_time FROM image WHERE client = $1 AND backup_time >= $2'),
      [client, from],
    );
    return rows.map((row) => Number(row.backup_time));
  }

  /**
   * The newest COMPLETE image of a lineage, of any kind or only fulls, that is not dated later than `until` (unix
   * seconds). What it builds on may be in any state.
   */
  async lastComplete(
    lineage: Lineage,
    which: 'any' | 'full',
    until: number,
  ): Promise<BaseCandidate | undefined> {
    const [row] = await this.db.query<
      { image_id: string; chain_length: number; has_whole_chain: boolean }[]
    >(LAST_COMPLETE, [lineage.client, lineage.policy, lineage.selectionSet, which, until]);
    return (
      row && {
        imageId: row.image_id,
        chainLength: row.chain_length,
        hasWholeChain: row.has_whole_chain,
      }
    );
  }

  /**
   * Images whose listings a later incremental may want: of each selection set the newest full and the
   * newest one that was COMPLETE once, and what is still being made, none dated later than `until` (unix
   * seconds). The newest first. A synthetic full has none of its own: its client was not read.
   */
  async possibleBases(
    { client, policy }: Pick<Lineage, 'client' | 'policy'>,
    until: number,
    limit: number,
  ): Promise<string[]> {
    const rows = await this.db.query<{ image_id: string }[]>(
      `WITH known AS (
         SELECT coalesce(i.synthetic_of, i.image_id) AS image_id, i.backup_time, i.selection_set,
           i.kind = 'full' AS is_full, d.image_id IS NOT NULL AS complete
         FROM image i LEFT JOIN image_completion d ON d.image_id = i.image_id
         WHERE i.client = $1 AND i.policy = $2 AND i.abandoned_at IS NULL AND i.backup_time <= $4
       ), wanted AS (
         (SELECT DISTINCT ON (selection_set) image_id, backup_time FROM known
          WHERE complete ORDER BY selection_set, backup_time DESC)
         UNION
         (SELECT DISTINCT ON (selection_set) image_id, backup_time FROM known
          WHERE complete AND is_full ORDER BY selection_set, backup_time DESC)
         UNION
         SELECT image_id, backup_time FROM known WHERE NOT complete
       )
       SELECT image_id FROM wanted ORDER BY backup_time DESC LIMIT $3`,
      [client, policy, limit, until],
    );
    return rows.map((row) => row.image_id);
  }

  /** What an image is a synthetic full of; null for one that was read from its client. */
  async syntheticOf(imageId: string): Promise<string | null> {
    const [row] = await this.db.query<{ synthetic_of: string | null }[]>(
      prepared('SELECT synthetic_of FROM image WHERE image_id = $1'),
      [imageId],
    );
    return row?.synthetic_of ?? null;
  }

  /** Counts an image's fragments. Call it with the image locked. */
  async progress(imageId: string): Promise<ImageProgress & { readonly complete: boolean }> {
    const [row] = await this.db.query<
      {
        expected: number | null;
        committed: string;
        loaded: string;
        complete: boolean;
        missing: number | null;
        index_error: string | null;
      }[]
    >(
      prepared(`SELECT i.fragments_expected AS expected, c.committed, c.loaded, ${IS_COMPLETE} AS complete,
         CASE WHEN c.committed < i.fragments_expected THEN
           (SELECT min(n) FROM generate_series(1, i.fragments_expected) n
            WHERE n NOT IN (SELECT f.number FROM fragment f
              WHERE f.image_id = i.image_id AND f.state = 'ACTIVE')) END AS missing,
         (SELECT f.index_error FROM fragment f WHERE f.image_id = i.image_id
            AND f.state = 'ACTIVE' AND f.index_loaded_at IS NULL AND f.index_error IS NOT NULL
          ORDER BY f.number LIMIT 1) AS index_error
       FROM image i ${WITH_COUNTS} WHERE i.image_id = $1`),
      [imageId],
    );
    return {
      fragmentsExpected: row!.expected,
      committed: Number(row!.committed),
      loaded: Number(row!.loaded),
      complete: row!.complete,
      firstMissing: row!.missing,
      indexError: row!.index_error,
    };
  }

  /** The lowest number that is not ACTIVE in a copy; null if none is missing. */
  async firstMissing(imageId: string, copy: number): Promise<number | null> {
    const [row] = await this.db.query<{ missing: number | null }[]>(
      `SELECT min(n) AS missing FROM image i, generate_series(1, i.fragments_expected) n
       WHERE i.image_id = $1 AND n NOT IN (SELECT f.number FROM fragment f
         WHERE f.image_id = $1 AND f.copy = $2 AND f.state = 'ACTIVE')`,
      [imageId, copy],
    );
    return row?.missing ?? null;
  }

  /** What is ACTIVE of a copy. Call it with the copy's fence raised: nothing is added then. */
  async piecesOf(imageId: string, copy: number): Promise<CommittedPiece[]> {
    const rows = await this.db.query<
      { number: number; archive_offset: string; archive_bytes: string; stored_bytes: string }[]
    >(
      `SELECT number, archive_offset, archive_bytes, stored_bytes FROM fragment
       WHERE image_id = $1 AND copy = $2 AND state = 'ACTIVE'`,
      [imageId, copy],
    );
    return rows.map((row) => ({
      number: row.number,
      archiveOffset: Number(row.archive_offset),
      archiveBytes: Number(row.archive_bytes),
      storedBytes: Number(row.stored_bytes),
    }));
  }

  /** True for the first caller only. */
  async markAnnounced(imageId: string): Promise<boolean> {
    const rows = await this.db.query<unknown[]>(
      prepared(
        'INSERT INTO image_completion (image_id) VALUES ($1) ON CONFLICT DO NOTHING RETURNING 1',
      ),
      [imageId],
    );
    return rows.length > 0;
  }

  private async first<T extends ObjectLiteral>(
    entity: new () => T,
    rest: string,
    values: readonly unknown[],
  ): Promise<T | undefined> {
    return (await readRows(this.db, entity, rest, values))[0];
  }
}
