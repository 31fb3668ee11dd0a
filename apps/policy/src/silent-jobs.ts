import { Injectable, Logger } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { Clock } from '#kernel/clock.js';
import { messageOf, PermanentError } from '#kernel/errors.js';
import { Repeating } from '#kernel/repeating.js';
import { jobsGet } from '#contracts/job.js';
import { Requests } from '#messaging/requests.js';
import { PolicyConfig } from './config.js';
import { JobRecord } from './job-record.js';
import { RunningJobs } from './persistence/running-jobs.js';

const JOBS_AT_A_TIME = 50;

/**
 * Asks about jobs of which nothing was heard for long. Events can be lost, and a client must not go
 * without backups because of one.
 */
@Injectable()
export class SilentJobs extends Repeating {
  private readonly logger = new Logger('silent jobs');

  constructor(
    private readonly database: DataSource,
    private readonly requests: Requests,
    private readonly record: JobRecord,
    private readonly clock: Clock,
    private readonly config: PolicyConfig,
  ) {
    super({
      everyMs: () => config.tickMs,
      work: (signal) => this.askAll(signal),
      onError: (error) => this.logger.warn(`the job manager was not asked: ${messageOf(error)}`),
    });
  }

  private async askAll(signal: AbortSignal): Promise<void> {
    const now = this.clock.now();
    const before = new Date(now.getTime() - this.config.askMs);
    const jobs = new RunningJobs(this.database.manager);
    for (const { job } of await jobs.silentSince(before, now, JOBS_AT_A_TIME)) {
      if (signal.aborted) return;
      await this.ask(job);
    }
  }

  private async ask(job: number): Promise<void> {
    try {
      const found = await this.requests.call(jobsGet, { job, log: false });
      await this.record.found(found.job);
    } catch (error) {
      if (!(error instanceof PermanentError)) throw error;
      this.logger.warn(`job ${job} is no longer waited for: ${error.message}`);
      await this.record.lost(job);
    }
  }
}
