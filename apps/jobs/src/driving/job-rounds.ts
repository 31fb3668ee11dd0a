import { Injectable, Logger } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { sleep } from '#kernel/backoff.js';
import { Clock } from '#kernel/clock.js';
import { isDatabaseAway } from '#kernel/database-failure.js';
import { messageOf } from '#kernel/errors.js';
import { Repeating } from '#kernel/repeating.js';
import { closesAt, type Job } from '../domain/job.js';
import { JobChanges } from '../job-changes.js';
import { OpenJobs } from '../persistence/open-jobs.js';
import { JobDriver } from './job-driver.js';
import { RoundsWatch } from './rounds-watch.js';

const ROUND_MS = 2_000;

/** Jobs whose moment has come that one round takes. */
const DUE_MAX = 1_000;

/**
 * Of those that wait for resources only so many are asked for in each round, one page after the
 * other: the broker says by itself when it grants, so this is for what went lost.
 */
const WAITING_PAGE = 100;

/** After the start all of them are asked for at once, with so many in the driver's queue. */
const DRIVEN_MAX = 500;

/** Looks at all open jobs now and then, whatever was or was not heard. */
@Injectable()
export class JobRounds extends Repeating {
  private readonly logger = new Logger('jobs');
  private after = 0;
  private isFirst = true;

  constructor(
    private readonly database: DataSource,
    private readonly changes: JobChanges,
    private readonly driver: JobDriver,
    private readonly watch: RoundsWatch,
    private readonly clock: Clock,
  ) {
    super({
      everyMs: ROUND_MS,
      work: (signal) => this.round(signal),
      onError: (error) => {
        if (isDatabaseAway(error)) this.watch.deaf();
        this.logger.warn(`cannot look at open jobs: ${messageOf(error)}`);
      },
    });
  }

  private async round(signal: AbortSignal): Promise<void> {
    const jobs = new OpenJobs(this.database.manager);
    this.watch.listen();
    for (const { job } of await jobs.active()) {
      await this.each(job.job, () => this.watch.lookAt(job));
      if (job.step !== 'running') this.driver.drive(job.job, 'soon');
    }
    const now = this.clock.now();
    const due = await jobs.due(new Date(now.getTime() + ROUND_MS), DUE_MAX);
    await Promise.all(due.map(({ job }) => this.moment(job, now)));
    for (const step of ['suspended', 'incomplete'] as const) {
      for (const job of await jobs.pausedSince(step, this.watch.pausedBefore(step, now))) {
        await this.each(job, () => this.changes.apply(job, { type: 'waited-out', step }));
        this.driver.drive(job);
      }
    }
    for (const parent of await jobs.activeParents()) {
      await this.each(parent, () => this.changes.gather(parent));
    }
    await this.rotate(jobs, signal);
  }

  private async moment(job: Job, now: Date): Promise<void> {
    if (isLate(job, now)) {
      await this.each(job.job, () => this.changes.apply(job.job, { type: 'window-closed' }));
    }
    this.driver.drive(job.job, 'soon');
  }

  private async rotate(jobs: OpenJobs, signal: AbortSignal): Promise<void> {
    do {
      const limit = this.isFirst ? DRIVEN_MAX : WAITING_PAGE;
      const page = await jobs.waiting({ after: this.after, limit });
      for (const job of page) this.driver.drive(job, 'soon');
      this.after = page.length < limit ? 0 : page.at(-1)!;
      if (this.after === 0) this.isFirst = false;
      while (this.driver.waiting >= DRIVEN_MAX && !signal.aborted) await sleep(20, signal);
    } while (this.isFirst && !signal.aborted);
  }

  /** Trouble with one job is no reason not to look at the others. */
  private async each(job: number, look: () => Promise<unknown>): Promise<void> {
    try {
      await look();
    } catch (error) {
      this.logger.warn(`cannot look at job ${job}: ${messageOf(error)}`);
    }
  }
}

function isLate(job: Job, now: Date): boolean {
  const closes = closesAt(job);
  return closes !== null && closes <= now;
}
