import { Injectable, Logger } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { sleep } from '#kernel/backoff.js';
import { Clock } from '#kernel/clock.js';
import { messageOf, PermanentError } from '#kernel/errors.js';
import { jobsGet } from '#contracts/job.js';
import { Requests } from '#messaging/requests.js';
import type { Startable } from '#service/lifecycle.js';
import { PolicySettings } from './config.js';
import { JobRecord } from './job-record.js';
import { RunningJobs } from './persistence/running-jobs.js';

const JOBS_AT_A_TIME = 50;

/** The log is not wanted: skip all of it. */
const NO_LOG = 1_000_000_000;

/**
 * Asks about jobs whose end was not heard for long. Events can be lost, and a client must not go
 * without backups because of one.
 */
@Injectable()
export class SilentJobs implements Startable {
  private readonly logger = new Logger('silent jobs');
  private readonly stopping = new AbortController();
  private loop: Promise<void> = Promise.resolve();

  constructor(
    private readonly database: DataSource,
    private readonly requests: Requests,
    private readonly record: JobRecord,
    private readonly clock: Clock,
    private readonly settings: PolicySettings,
  ) {}

  start(): void {
    this.loop = this.run();
  }

  async stop(): Promise<void> {
    this.stopping.abort();
    await this.loop;
  }

  private async run(): Promise<void> {
    while (!this.stopping.signal.aborted) {
      try {
        await this.askAll();
      } catch (error) {
        this.logger.warn(`the job manager was not asked: ${messageOf(error)}`);
      }
      await sleep(this.settings.tickMs, this.stopping.signal);
    }
  }

  private async askAll(): Promise<void> {
    const now = this.clock.now();
    const before = new Date(now.getTime() - this.settings.askMs);
    const jobs = new RunningJobs(this.database.manager);
    for (const { job } of await jobs.silentSince(before, now, JOBS_AT_A_TIME)) {
      if (this.stopping.signal.aborted) return;
      await this.ask(job);
    }
  }

  private async ask(job: number): Promise<void> {
    try {
      const found = await this.requests.call(jobsGet, { job, logAfter: NO_LOG });
      if (found.job.state === 'done') await this.record.foundEnd(found.job);
    } catch (error) {
      if (!(error instanceof PermanentError)) throw error;
      this.logger.warn(`job ${job} is no longer waited for: ${error.message}`);
      await this.record.lost(job);
    }
  }
}
