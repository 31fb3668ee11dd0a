import type { EntityManager } from 'typeorm';
import type { JobView, LogLine } from '#contracts/job.js';
import { clientOf, imageOf, type Job } from '../domain/job.js';
import { revive, type SavedDocument } from '../domain/saved-job.js';
import { stateOf, viewOf } from '../domain/view.js';

export interface SavedJob {
  readonly job: Job;
  readonly createdAt: Date;
}

export interface JobFilter {
  readonly state?: string | undefined;
  readonly client?: string | undefined;
  readonly policy?: string | undefined;
  readonly before?: number | undefined;
  readonly limit: number;
}

interface Row {
  readonly job: string;
  readonly created_at: Date;
  readonly document: SavedDocument;
}

/** The SQL about jobs and their logs. Give it the manager of the transaction it belongs to. */
export class Jobs {
  constructor(private readonly db: EntityManager) {}

  /** The number of the job, and whether this call made it: a repeated request id makes no second. */
  async create(
    draft: Job,
    at: Date,
    requestId: string | undefined,
  ): Promise<{ job: number; created: boolean }> {
    const rows: { job: string }[] = await this.db.query(
      `INSERT INTO job (request_id, type, step, state, client, policy, priority, created_at, document)
       VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
       ON CONFLICT (request_id) DO NOTHING RETURNING job`,
      [requestId ?? null, draft.type, draft.step, stateOf(draft), ...searched(draft), at, draft],
    );
    if (rows[0]) return { job: Number(rows[0].job), created: true };
    const [found]: { job: string }[] = await this.db.query(
      'SELECT job FROM job WHERE request_id = $1',
      [requestId],
    );
    return { job: Number(found!.job), created: false };
  }

  async find(job: number): Promise<SavedJob | undefined> {
    const [row]: Row[] = await this.db.query(
      'SELECT job, created_at, document FROM job WHERE job = $1',
      [job],
    );
    return row && toSaved(row);
  }

  /** Holds the row until the transaction ends: one decision at a time for each job. */
  async lock(job: number): Promise<SavedJob | undefined> {
    const [row]: Row[] = await this.db.query(
      'SELECT job, created_at, document FROM job WHERE job = $1 FOR UPDATE',
      [job],
    );
    return row && toSaved(row);
  }

  async save(job: Job): Promise<void> {
    await this.db.query(
      `UPDATE job SET step = $2, state = $3, client = $4, image_id = $5, document = $6
       WHERE job = $1`,
      [job.job, job.step, stateOf(job), clientOf(job), imageOf(job), job],
    );
  }

  async open(): Promise<SavedJob[]> {
    const rows: Row[] = await this.db.query(
      `SELECT job, created_at, document FROM job WHERE step <> 'done' ORDER BY job`,
    );
    return rows.map(toSaved);
  }

  /** Open jobs that write or read an image. */
  async byImage(imageId: string): Promise<number[]> {
    const rows: { job: string }[] = await this.db.query(
      `SELECT job FROM job WHERE image_id = $1 AND step <> 'done'`,
      [imageId],
    );
    return rows.map(({ job }) => Number(job));
  }

  async list(filter: JobFilter): Promise<JobView[]> {
    const rows: Row[] = await this.db.query(
      `SELECT job, created_at, document FROM job
       WHERE ($1::text IS NULL OR state = $1) AND ($2::text IS NULL OR client = $2)
         AND ($3::text IS NULL OR policy = $3) AND ($4::bigint IS NULL OR job < $4)
       ORDER BY job DESC LIMIT $5`,
      [
        filter.state ?? null,
        filter.client ?? null,
        filter.policy ?? null,
        filter.before ?? null,
        filter.limit,
      ],
    );
    return rows.map(toSaved).map(({ job, createdAt }) => viewOf(job, createdAt));
  }

  async appendLog(job: number, lines: readonly LogLine[]): Promise<void> {
    if (lines.length === 0) return;
    await this.db.query(
      `INSERT INTO job_log (job, at, attempt, process, pid, severity, text)
       SELECT $1, * FROM unnest($2::timestamptz[], $3::int[], $4::text[], $5::int[], $6::text[], $7::text[])`,
      [
        job,
        lines.map((line) => line.at),
        lines.map((line) => line.attempt),
        lines.map((line) => line.process),
        lines.map((line) => line.pid),
        lines.map((line) => line.severity),
        lines.map((line) => line.text),
      ],
    );
  }

  async log(job: number, { after, limit }: { after: number; limit: number }): Promise<LogLine[]> {
    const rows: (Omit<LogLine, 'at'> & { at: Date })[] = await this.db.query(
      `SELECT at, attempt, process, pid, severity, text FROM job_log
       WHERE job = $1 ORDER BY line OFFSET $2 LIMIT $3`,
      [job, after, limit],
    );
    return rows.map((row) => ({ ...row, at: row.at.toISOString() }));
  }

  async logLength(job: number): Promise<number> {
    const [row]: { count: string }[] = await this.db.query(
      'SELECT count(*) FROM job_log WHERE job = $1',
      [job],
    );
    return Number(row?.count ?? 0);
  }
}

function searched(job: Job): [client: string, policy: string, priority: number] {
  const policy = job.type === 'backup' ? job.request.policy : '';
  const priority = 'priority' in job.request ? job.request.priority : 0;
  return [clientOf(job), policy, priority];
}

function toSaved(row: Row): SavedJob {
  return { createdAt: row.created_at, job: revive(row.document, Number(row.job)) };
}
