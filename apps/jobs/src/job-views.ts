import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import type { JobView, LogLine } from '#contracts/job.js';
import { NotFound } from '#kernel/errors.js';
import { viewOf } from './domain/view.js';
import { Jobs, type JobFilter } from './persistence/jobs.js';

/** Log lines of one answer; a longer log is read in pages with `logAfter`. */
const LOG_LINES_MAX = 1_000;

/** Reads jobs for those who ask. */
@Injectable()
export class JobViews {
  private readonly jobs: Jobs;

  constructor(database: DataSource) {
    this.jobs = new Jobs(database.manager);
  }

  list(filter: JobFilter): Promise<JobView[]> {
    return this.jobs.list(filter);
  }

  async one(job: number): Promise<JobView> {
    const saved = await this.jobs.find(job);
    if (!saved) throw new NotFound('job', String(job), 805, 'See: holdfast jobs');
    return viewOf(saved.job, saved.createdAt);
  }

  async log(job: number, after: number): Promise<{ log: LogLine[]; logLines: number }> {
    const log = await this.jobs.log(job, { after, limit: LOG_LINES_MAX });
    return { log, logLines: await this.jobs.logLength(job) };
  }
}
