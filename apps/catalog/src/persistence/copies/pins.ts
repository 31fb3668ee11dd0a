import { assert } from '#kernel/assert.js';
import type { Queries } from '../queries.js';

/**
 * Only what is ACTIVE can be pinned. The rows are locked for that: a deletion that is under way is
 * waited for, and the pin then fails to hold what it took; one that comes later sees the pin.
 */
const PIN = (which: string) => `
  WITH held AS (
    SELECT f.fragment_id FROM fragment f
    WHERE f.state = 'ACTIVE' AND ${which} ORDER BY f.fragment_id FOR SHARE OF f
  )
  INSERT INTO pin (fragment_id, job) SELECT fragment_id, $1 FROM held ON CONFLICT DO NOTHING`;

const OF_IMAGES = 'f.image_id = ANY($2::text[])';
const MISSING_IN_COPY = `f.image_id = $2 AND f.copy <> $3 AND NOT EXISTS (
  SELECT 1 FROM fragment l WHERE l.image_id = f.image_id AND l.copy = $3 AND l.number = f.number
    AND l.state IN ('ACTIVE', 'TO_BE_DELETED'))`;

/** What running jobs hold. */
export class Pins {
  constructor(private readonly db: Queries) {}

  /** Pins all that is ACTIVE of the images, in every copy; returns how many the job holds of them. */
  async pinImages(job: number, imageIds: readonly string[]): Promise<number> {
    await this.db.query(PIN(OF_IMAGES), [job, imageIds]);
    const [row] = await this.db.query<{ count: string }[]>(
      `SELECT count(*) FROM pin p JOIN fragment f ON f.fragment_id = p.fragment_id
       WHERE p.job = $1 AND f.image_id = ANY($2::text[])`,
      [job, imageIds],
    );
    assert(row, 'a count is a row');
    return Number(row.count);
  }

  /** Pins what a copy lacks, in all other copies. */
  async pinMissing(job: number, imageId: string, copy: number): Promise<void> {
    await this.db.query(PIN(MISSING_IN_COPY), [job, imageId, copy]);
  }

  /** Jobs that have held something since before `since`. */
  async jobsSince(since: Date): Promise<number[]> {
    const rows = await this.db.query<{ job: string }[]>(
      'SELECT job FROM pin GROUP BY job HAVING min(pinned_at) < $1 ORDER BY job',
      [since],
    );
    return rows.map((row) => Number(row.job));
  }

  /** Ends all pins of a job; returns how many there were. */
  async unpin(job: number): Promise<number> {
    const rows = await this.db.query<unknown[]>(
      `WITH ended AS (DELETE FROM pin WHERE job = $1 RETURNING 1) SELECT 1 FROM ended`,
      [job],
    );
    return rows.length;
  }
}
