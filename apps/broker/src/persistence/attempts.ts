import type { EntityManager } from 'typeorm';
import type { AttemptId } from './allocations.js';

/** What became of taking attempts away. */
export interface Dropped {
  readonly held: boolean;
  readonly waited: boolean;
}

/** The SQL about attempts, whether they hold something or wait. */
export class Attempts {
  constructor(private readonly db: EntityManager) {}

  async release({ job, attempt }: AttemptId): Promise<Dropped> {
    const rows: Dropped[] = await this.db.query(
      `WITH held AS (DELETE FROM allocation WHERE job = $1 AND attempt = $2 RETURNING 1),
         waited AS (DELETE FROM waiting WHERE job = $1 AND attempt = $2 RETURNING 1)
       SELECT EXISTS (SELECT FROM held) AS held, EXISTS (SELECT FROM waited) AS waited`,
      [job, attempt],
    );
    return rows[0]!;
  }

  /**
   * Takes away what earlier attempts of a job hold or wait for, so that a new attempt never waits
   * for its own predecessor. Returns the newest attempt that is left, 0 for none.
   */
  async replaceEarlier({ job, attempt }: AttemptId): Promise<number> {
    const rows: { newest: string | null }[] = await this.db.query(
      `WITH held AS (DELETE FROM allocation WHERE job = $1 AND attempt < $2),
         waited AS (DELETE FROM waiting WHERE job = $1 AND attempt < $2)
       SELECT max(attempt) AS newest FROM
         (SELECT job, attempt FROM allocation UNION ALL SELECT job, attempt FROM waiting) AS known
       WHERE job = $1 AND attempt >= $2`,
      [job, attempt],
    );
    return Number(rows[0]?.newest ?? 0);
  }
}
