import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import type { ResponseOf } from '#contracts/contract.js';
import type { JobAttempt, jobsList, JobView, LogLine } from '#contracts/job.js';
import type { jobsSummary } from '#contracts/jobs/summary.js';
import { PAGE_BYTES_MAX } from '#contracts/names.js';
import { Clock } from '#kernel/clock.js';
import { NotFound } from '#kernel/errors.js';
import { STATUS } from '#kernel/status.js';
import { upTo } from '#service/page-bytes.js';
import type { EndedAttempt } from './domain/job.js';
import { viewOf } from './domain/view.js';
import { JobLists, type JobFilter } from './persistence/job-lists.js';
import { JobLog } from './persistence/job-log.js';
import { Jobs } from './persistence/jobs.js';

/** Log lines of one answer; a longer log is read in pages with `logAfter`. */
const LOG_LINES_MAX = 1_000;
/** ... or fewer, if they are long. */
const LOG_BYTES_MAX = 600_000;

/** Reads jobs for those who ask. */
@Injectable()
export class JobViews {
  private readonly jobs: Jobs;
  private readonly lists: JobLists;
  private readonly logs: JobLog;

  constructor(
    database: DataSource,
    private readonly clock: Clock,
  ) {
    this.jobs = new Jobs(database.manager);
    this.lists = new JobLists(database.manager);
    this.logs = new JobLog(database.manager);
  }

  /** At most as many as one answer can carry. */
  async list(filter: JobFilter): Promise<ResponseOf<typeof jobsList>> {
    const found = await this.lists.list({ ...filter, limit: filter.limit + 1 });
    const jobs = upTo(PAGE_BYTES_MAX, found.slice(0, filter.limit));
    return { jobs, more: jobs.length < found.length };
  }

  summary(): Promise<ResponseOf<typeof jobsSummary>> {
    return this.lists.summary(this.clock.now());
  }

  async one(job: number): Promise<JobView> {
    return (await this.detail(job)).job;
  }

  async detail(job: number): Promise<{ job: JobView; attempts: JobAttempt[] }> {
    const saved = await this.jobs.find(job);
    if (!saved) throw new NotFound('job', String(job), STATUS.noSuchJob, 'See: holdfast jobs');
    const attempts = saved.job.attempts.map(attemptView);
    return { job: viewOf(saved.job, saved.createdAt), attempts };
  }

  async log(
    job: number,
    wanted: { readonly log: boolean; readonly logAfter: number },
  ): Promise<{ log: LogLine[]; logLines: number }> {
    const page = { after: wanted.logAfter, limit: LOG_LINES_MAX };
    const lines = wanted.log ? await this.logs.read(job, page) : [];
    return { log: upTo(LOG_BYTES_MAX, lines), logLines: await this.logs.length(job) };
  }
}

function attemptView({ startedAt, endedAt, ...attempt }: EndedAttempt): JobAttempt {
  return {
    ...attempt,
    startedAt: startedAt?.toISOString() ?? null,
    endedAt: endedAt.toISOString(),
  };
}
