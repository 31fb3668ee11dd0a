import type { EntityManager } from 'typeorm';
import { ROW, toSaved, type Row, type SavedJob } from './job-row.js';

/** The SQL of those who drive jobs: which of them want to be looked at. */
export class OpenJobs {
  constructor(private readonly db: EntityManager) {}

  /** Jobs with participants, or with a question that is open. */
  async active(): Promise<SavedJob[]> {
    const rows: Row[] = await this.db.query(
      `SELECT ${ROW} FROM job
       WHERE step IN ('beginning', 'running', 'verifying', 'releasing') ORDER BY job`,
    );
    return rows.map(toSaved);
  }

  /** Jobs whose moment has come by `until`. */
  async due(until: Date, limit: number): Promise<SavedJob[]> {
    const rows: Row[] = await this.db.query(
      `SELECT ${ROW} FROM job WHERE wake_at <= $1 ORDER BY wake_at LIMIT $2`,
      [until, limit],
    );
    return rows.map(toSaved);
  }

  /** Jobs that have stood still at this step since then, or longer. */
  async pausedSince(step: 'suspended' | 'incomplete', since: Date): Promise<number[]> {
    return this.numbers(
      'SELECT job FROM job WHERE step = $1 AND paused_at <= $2 ORDER BY paused_at LIMIT 1000',
      [step, since],
    );
  }

  /** The next page of those that wait for their resources. */
  async waiting({ after, limit }: { after: number; limit: number }): Promise<number[]> {
    return this.numbers(
      `SELECT job FROM job WHERE step IN ('planning', 'allocating') AND job > $1
       ORDER BY job LIMIT $2`,
      [after, limit],
    );
  }

  async activeParents(): Promise<number[]> {
    return this.numbers(
      `SELECT job FROM job WHERE step = 'gathering' AND state = 'active' ORDER BY job`,
      [],
    );
  }

  /** Open jobs that write or read an image. */
  async byImage(imageId: string): Promise<number[]> {
    return this.numbers(`SELECT job FROM job WHERE image_id = $1 AND step <> 'done'`, [imageId]);
  }

  /** Jobs that are done and have something left to give back. */
  async indebted({ after, limit }: { after: number; limit: number }): Promise<SavedJob[]> {
    const rows: Row[] = await this.db.query(
      `SELECT ${ROW} FROM job WHERE owes AND job > $1 ORDER BY job LIMIT $2`,
      [after, limit],
    );
    return rows.map(toSaved);
  }

  /**
   * Deletes some jobs that ended before `before`, with their logs; how many. Open ones never, a
   * child not before its parent has ended, a parent not before its children are gone.
   */
  async prune(before: Date, limit: number): Promise<number> {
    const [row]: { count: string }[] = await this.db.query(
      `WITH old AS (
         SELECT job FROM job AS one WHERE step = 'done' AND NOT owes AND ended_at < $1
           AND NOT EXISTS (SELECT FROM job AS child WHERE child.parent = one.job)
           AND NOT EXISTS (SELECT FROM job AS up WHERE up.job = one.parent AND up.step <> 'done')
         ORDER BY ended_at LIMIT $2 FOR UPDATE SKIP LOCKED),
       lines AS (DELETE FROM job_log USING old WHERE job_log.job = old.job),
       gone AS (DELETE FROM job USING old WHERE job.job = old.job RETURNING 1)
       SELECT count(*) FROM gone`,
      [before, limit],
    );
    return Number(row?.count ?? 0);
  }

  private async numbers(query: string, values: unknown[]): Promise<number[]> {
    const rows: { job: string }[] = await this.db.query(query, values);
    return rows.map(({ job }) => Number(job));
  }
}
