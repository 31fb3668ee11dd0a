import type { EntityManager } from 'typeorm';
import type { RequestOf, ResponseOf } from '#contracts/contract.js';
import type { jobsList, JobView } from '#contracts/job.js';
import type { jobsSummary } from '#contracts/jobs/summary.js';
import { viewOf } from '../domain/view.js';
import { ROW, toSaved, type Row } from './job-row.js';

export type JobFilter = RequestOf<typeof jobsList>;
type Summary = ResponseOf<typeof jobsSummary>;

/** Conditions with the value that each compares with, as the statement's next parameter. */
type Conditions = readonly (readonly [condition: string, value: unknown])[];

const DAY_HOURS = 24;

/** The SQL of those who look at many jobs. */
export class JobLists {
  constructor(private readonly db: EntityManager) {}

  /** The newest first. */
  async list(filter: JobFilter): Promise<JobView[]> {
    const conditions = conditionsOf(filter).filter(([, value]) => value !== undefined);
    const where = conditions.map(([condition], index) => condition.replace('?', `$${index + 2}`));
    const rows: Row[] = await this.db.query(
      `SELECT ${ROW} FROM job ${where.length > 0 ? `WHERE ${where.join(' AND ')}` : ''}
       ORDER BY job DESC LIMIT $1`,
      [filter.limit, ...conditions.map(([, value]) => value)],
    );
    return rows.map(toSaved).map(({ job, createdAt }) => viewOf(job, createdAt));
  }

  async summary(now: Date): Promise<Summary> {
    const since = new Date(now.getTime() - DAY_HOURS * 3_600_000);
    const states: { state: string; count: string }[] = await this.db.query(
      `SELECT state, count(*) FROM job WHERE state <> 'done' GROUP BY state`,
    );
    const [ended]: Record<'successful' | 'partial' | 'failed', string>[] = await this.db.query(
      `SELECT count(*) FILTER (WHERE status = 0) AS successful,
         count(*) FILTER (WHERE status = 1) AS partial,
         count(*) FILTER (WHERE status > 1) AS failed
       FROM job WHERE ended_at >= $1`,
      [since],
    );
    const inState = new Map(states.map(({ state, count }) => [state, Number(count)]));
    const counts = {
      queued: inState.get('queued') ?? 0,
      active: inState.get('active') ?? 0,
      waitingForRetry: inState.get('waiting-for-retry') ?? 0,
      suspended: inState.get('suspended') ?? 0,
      incomplete: inState.get('incomplete') ?? 0,
      successful: Number(ended?.successful ?? 0),
      partial: Number(ended?.partial ?? 0),
      failed: Number(ended?.failed ?? 0),
    };
    const total = Object.values(counts).reduce((sum, count) => sum + count, 0);
    return { ...counts, total, hours: DAY_HOURS };
  }
}

function conditionsOf(filter: JobFilter): Conditions {
  const { type, status } = filter;
  return [
    ['state = ?', filter.state],
    // A parent is a backup, too.
    ['type = ANY(?)', type === 'backup' ? ['backup', 'parent'] : type && [type]],
    ['client = ?', filter.client],
    ['policy = ?', filter.policy],
    ['schedule = ?', filter.schedule],
    ['status = ?', status === 'failed' ? undefined : status],
    ['status > ?', status === 'failed' ? 1 : undefined],
    ['parent = ?', filter.parent],
    ['created_at >= ?', filter.since],
    ['created_at < ?', filter.until],
    ['storage = ?', filter.storage],
    ['media_id = ?', filter.mediaId],
    ['job < ?', filter.before],
  ];
}
