import { Injectable, Logger } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { Clock } from '#kernel/clock.js';
import { messageOf } from '#kernel/errors.js';
import { Repeating } from '#kernel/repeating.js';
import type { Startable } from '#service/lifecycle.js';
import { JobsConfig } from '../config.js';
import { JobChanges } from '../job-changes.js';
import { OpenJobs } from '../persistence/open-jobs.js';
import { JobRelease } from '../steps/job-release.js';

const EVERY_MS = 10_000;
const DEBTS_MAX = 50;

/** Jobs that one statement deletes, so that nobody waits for it. */
const PRUNED_MAX = 200;

/** What is left of jobs that are done: gives back what was owed, deletes what is old. */
@Injectable()
export class JobCare implements Startable {
  private readonly logger = new Logger('jobs');
  private readonly rounds: Repeating;

  constructor(
    private readonly database: DataSource,
    private readonly changes: JobChanges,
    private readonly release: JobRelease,
    private readonly config: JobsConfig,
    private readonly clock: Clock,
  ) {
    this.rounds = new Repeating({
      everyMs: EVERY_MS,
      work: async (signal) => {
        await this.settle(signal);
        await this.prune(signal);
      },
      onError: (error) => this.logger.warn(`cannot look after old jobs: ${messageOf(error)}`),
    });
  }

  start(): void {
    this.rounds.start();
  }

  stop(): Promise<void> {
    return this.rounds.stop();
  }

  private async settle(signal: AbortSignal): Promise<void> {
    for (const { job } of await new OpenJobs(this.database.manager).indebted(DEBTS_MAX)) {
      if (signal.aborted) return;
      const owed = await this.release.settle(job, job.owed);
      // Who does not answer for one job does not answer for the next one.
      if (owed.length > 0) return;
      await this.changes.note(job.job, (saved) => ({ ...saved, owed }));
    }
  }

  private async prune(signal: AbortSignal): Promise<void> {
    const before = new Date(this.clock.now().getTime() - this.config.keepMs);
    for (let pruned = PRUNED_MAX; pruned === PRUNED_MAX && !signal.aborted;) {
      pruned = await new OpenJobs(this.database.manager).prune(before, PRUNED_MAX);
    }
  }
}
