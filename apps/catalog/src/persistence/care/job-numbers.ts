interface Queries {
  query<T = unknown>(sql: string, values?: unknown[]): Promise<T>;
}

/** Stands in the catalog's own schema, within one transaction only: its user may make no other tables. */
const OF_IMAGES = 'known_job_of_image';
const OF_COPIES = 'known_job_of_copy';
const PINS = 'known_pin';

/**
 * Which job wrote what, where a file takes the place of the catalog. A job manager that was made anew counts
 * from 1 again, and nothing in the file tells whether this one was: so the catalog that is replaced is believed.
 * Whatever of the file it does not know as the work of the same job is nobody's from then on, as if it had
 * been imported. Both calls belong into the transaction of the restore.
 */
export class JobNumbers {
  constructor(private readonly db: Queries) {}

  /** To be called while the old content is there, and behind whoever lists the tables. */
  async remember(): Promise<void> {
    await this.db.query(
      `CREATE TABLE ${OF_IMAGES} AS SELECT image_id, job FROM image WHERE job IS NOT NULL`,
    );
    await this.db.query(
      `CREATE TABLE ${OF_COPIES} AS SELECT image_id, copy, job FROM image_copy
       WHERE job IS NOT NULL`,
    );
    await this.db.query(`CREATE TABLE ${PINS} AS SELECT fragment_id, job, pinned_at FROM pin`);
  }

  /** To be called with the new content in place. Pins stay as they were: who reads now holds now. */
  async keepKnown(): Promise<void> {
    await this.db.query(
      `UPDATE image i SET job = NULL, ${GIVEN_UP} WHERE i.job IS NOT NULL AND NOT EXISTS (
         SELECT 1 FROM ${OF_IMAGES} k WHERE k.image_id = i.image_id AND k.job = i.job)`,
    );
    await this.db.query(
      `UPDATE image_copy c SET job = NULL WHERE c.job IS NOT NULL AND NOT EXISTS (
         SELECT 1 FROM ${OF_COPIES} k
         WHERE k.image_id = c.image_id AND k.copy = c.copy AND k.job = c.job)`,
    );
    await this.db.query('TRUNCATE pin');
    await this.db.query(
      `INSERT INTO pin (fragment_id, job, pinned_at)
       SELECT p.fragment_id, p.job, p.pinned_at FROM ${PINS} p JOIN fragment USING (fragment_id)`,
    );
    await this.db.query(`DROP TABLE ${OF_IMAGES}, ${OF_COPIES}, ${PINS}`);
  }
}

/** Nobody finishes what has lost its job; its last manifest may, see `ImportedImages`. */
export const GIVEN_UP = `abandoned_at = CASE WHEN finished_at IS NULL
  THEN coalesce(abandoned_at, now()) ELSE abandoned_at END`;
