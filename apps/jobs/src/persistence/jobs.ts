import type { EntityManager } from 'typeorm';
import type { JobProgress, JobState } from '#contracts/job.js';
import type { BackupJob, Job } from '../domain/job.js';
import type { Child } from '../domain/input.js';
import { INSERT, ROW, toSaved, UPDATE, valuesOf, type Row, type SavedJob } from './job-row.js';

/** The SQL about single jobs. Give it the manager of the transaction it belongs to. */
export class Jobs {
  constructor(private readonly db: EntityManager) {}

  /** The number of the job, and whether this call made it: a repeated request id makes no second. */
  async create(
    draft: Job,
    at: Date,
    requestId: string | undefined,
  ): Promise<{ job: number; created: boolean }> {
    const values = [requestId ?? null, at, ...valuesOf(draft)];
    const rows: { job: string }[] = await this.db.query(INSERT, values);
    if (rows[0]) return { job: Number(rows[0].job), created: true };
    return { job: (await this.byRequest(requestId!))!, created: false };
  }

  async byRequest(requestId: string): Promise<number | undefined> {
    const [found]: { job: string }[] = await this.db.query(
      'SELECT job FROM job WHERE request_id = $1',
      [requestId],
    );
    return found && Number(found.job);
  }

  async find(job: number): Promise<SavedJob | undefined> {
    const [row]: Row[] = await this.db.query(`SELECT ${ROW} FROM job WHERE job = $1`, [job]);
    return row && toSaved(row);
  }

  /** Holds the row until the transaction ends: one decision at a time for each job. */
  async lock(job: number): Promise<SavedJob | undefined> {
    const [row]: Row[] = await this.db.query(`SELECT ${ROW} FROM job WHERE job = $1 FOR UPDATE`, [
      job,
    ]);
    return row && toSaved(row);
  }

  /**
   * A parent and its children, or a job alone; the children first, and locked in this order, as the
   * end of a child does.
   */
  async lockFamily(job: number): Promise<SavedJob[]> {
    const children: Row[] = await this.db.query(
      `SELECT ${ROW} FROM job WHERE parent = $1 ORDER BY job FOR UPDATE`,
      [job],
    );
    const own = await this.lock(job);
    return own ? [...children.map(toSaved), own] : [];
  }

  async save(job: Job): Promise<void> {
    await this.db.query(UPDATE, [job.job, ...valuesOf(job)]);
  }

  async children(parent: number): Promise<Child[]> {
    const rows: {
      job: string;
      state: JobState;
      status: number | null;
      started: boolean;
      progress: JobProgress;
    }[] = await this.db.query(
      `SELECT job, state, status, started_at IS NOT NULL AS started,
         document->'progress' AS progress
       FROM job WHERE parent = $1 ORDER BY job`,
      [parent],
    );
    return rows.map(({ job, started, ...row }) => ({
      ...row,
      ...{ job: Number(job), hasStarted: started },
    }));
  }

  /** What the last good backup of the same held. */
  async lastLike({ request }: BackupJob): Promise<{ files: number; bytes: number } | null> {
    const [row]: { files: string; bytes: string }[] = await this.db.query(
      `SELECT files, bytes FROM job
       WHERE policy = $1 AND client = $2 AND type = 'backup' AND kind = $3 AND status <= 1
         AND document->'request'->'selections' = $4::jsonb
       ORDER BY job DESC LIMIT 1`,
      [request.policy, request.client, request.kind, JSON.stringify(request.selections)],
    );
    return row ? { files: Number(row.files), bytes: Number(row.bytes) } : null;
  }
}
