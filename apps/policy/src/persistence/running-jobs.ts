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

  async add({ job, policy, schedule, client, dueAt }: SubmittedJob, now: Date): Promise<void> {
    await this.db.query(
      `INSERT INTO running_job (job, policy, schedule, client, due_at, heard_at)
       VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING`,
      [job, policy, schedule, client, dueAt, now],
    );
  }

  /** Returns the due time that it was submitted for; null if there was none, or it is not known. */
  async remove(job: number): Promise<Date | null> {
    const [rows] = (await this.db.query('DELETE FROM running_job WHERE job = $1 RETURNING due_at', [
      job,
    ])) as [{ due_at: Date | null }[], number];
    return rows[0]?.due_at ?? null;
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
