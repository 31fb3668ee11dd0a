import type { EntityManager } from 'typeorm';
import type { EntryKey } from './histories.js';
import { RunningJobEntity } from './running-job.entity.js';

export interface RunningJob extends EntryKey {
  readonly job: number;
}

export interface SubmittedJob extends RunningJob {
  readonly dueAt: Date | null;
}

/** The SQL about jobs that were submitted and have not ended. */
export class RunningJobs {
  constructor(private readonly db: EntityManager) {}

  /** What it is due for may come behind the news that there is such a job. */
  async add({ job, policy, schedule, client, dueAt }: SubmittedJob, now: Date): Promise<void> {
    await this.db.query(
      `INSERT INTO running_job (job, policy, schedule, client, due_at, heard_at)
       VALUES ($1, $2, $3, $4, $5, $6)
       ON CONFLICT (job) DO UPDATE SET due_at = EXCLUDED.due_at WHERE running_job.due_at IS NULL`,
      [job, policy, schedule, client, dueAt, now],
    );
  }

  async has(job: number): Promise<boolean> {
    const rows: unknown[] = await this.db.query('SELECT 1 FROM running_job WHERE job = $1', [job]);
    return rows.length > 0;
  }

  /** True if that is news, of a job that is known or not. */
  async isIncomplete(
    { job, policy, schedule, client }: RunningJob,
    { failedAt, revision, now }: { failedAt: Date; revision: number; now: Date },
  ): Promise<boolean> {
    const rows: unknown[] = await this.db.query(
      `INSERT INTO running_job AS known (job, policy, schedule, client, failed_at, revision, heard_at)
       VALUES ($1, $2, $3, $4, $5, $6, $7)
       ON CONFLICT (job) DO UPDATE SET failed_at = EXCLUDED.failed_at, revision = EXCLUDED.revision,
         heard_at = EXCLUDED.heard_at
       WHERE known.revision < EXCLUDED.revision
       RETURNING 1`,
      [job, policy, schedule, client, failedAt, revision, now],
    );
    return rows.length > 0;
  }

  /** It moves, or somebody has stopped it. */
  async isNotIncomplete(job: number, revision: number): Promise<void> {
    await this.db.query(
      `UPDATE running_job SET failed_at = NULL, revision = $2 WHERE job = $1 AND revision < $2`,
      [job, revision],
    );
  }

  /** Returns what was known of it, as far as it was. */
  async remove(job: number): Promise<{ dueAt: Date | null; failedAt: Date | null }> {
    const [rows] = (await this.db.query(
      `DELETE FROM running_job WHERE job = $1
       RETURNING due_at AS "dueAt", failed_at AS "failedAt"`,
      [job],
    )) as [{ dueAt: Date | null; failedAt: Date | null }[], number];
    return rows[0] ?? { dueAt: null, failedAt: null };
  }

  /** Those without news since `before`, the longest silent first. They count as heard `now`. */
  async silentSince(before: Date, now: Date, limit: number): Promise<RunningJob[]> {
    const [rows] = (await this.db.query(
      `UPDATE running_job SET heard_at = $2 WHERE job IN
         (SELECT job FROM running_job WHERE heard_at < $1 ORDER BY heard_at LIMIT $3)
       RETURNING job, policy, schedule, client`,
      [before, now, limit],
    )) as [RunningJobEntity[], number];
    return rows.map(toJob);
  }
}

function toJob({ job, policy, schedule, client }: RunningJobEntity): RunningJob {
  return { job: Number(job), policy, schedule, client };
}
