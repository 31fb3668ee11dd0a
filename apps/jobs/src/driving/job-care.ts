import { Injectable, Logger } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { Clock } from '#kernel/clock.js';
import { messageOf } from '#kernel/errors.js';
import { Repeating } from '#kernel/repeating.js';
import type { Startable } from '#service/lifecycle.js';
import { JobsConfig } from '../config.js';
import type { Job } from '../domain/job.js';
import { JobChanges } from '../job-changes.js';
import { OpenJobs } from '../persistence/open-jobs.js';
import { JobRelease } from '../steps/job-release.js';

const SETTLE_MS = 2_000;
const DEBTS_MAX = 50;
const PRUNE_MS = 60_000;

/** Jobs that one statement deletes, so that nobody waits for it. */
const PRUNED_MAX = 200;

/** What is left of jobs that are done: gives back what was owed, deletes what is old. */
@Injectable()
export class JobCare implements Startable {
  private readonly logger = new Logger('jobs');
  private readonly rounds: readonly Repeating[];
  /** The last debtor of the page before. */
  private after = 0;

  constructor(
    private readonly database: DataSource,
    private readonly changes: JobChanges,
    private readonly release: JobRelease,
    private readonly config: JobsConfig,
    private readonly clock: Clock,
  ) {
    const onError = (error: unknown) =>
      this.logger.warn(`cannot look after old jobs: ${messageOf(error)}`);
    this.rounds = [
      new Repeating({ everyMs: SETTLE_MS, work: () => this.settle(), onError }),
      new Repeating({ everyMs: PRUNE_MS, work: (signal) => this.prune(signal), onError }),
    ];
  }

  start(): void {
    for (const rounds of this.rounds) rounds.start();
  }

  async stop(): Promise<void> {
    await Promise.all(this.rounds.map((rounds) => rounds.stop()));
  }

  /** One page of debtors after the other, each at once: whoever is not answered holds up no other. */
  private async settle(): Promise<void> {
    const jobs = new OpenJobs(this.database.manager);
    const page = await jobs.indebted({ after: this.after, limit: DEBTS_MAX });
    this.after = page.length < DEBTS_MAX ? 0 : page.at(-1)!.job.job;
    const troubles: string[] = [];
    await Promise.all(page.map(({ job }) => this.settleOne(job, troubles)));
    const more = troubles.length > 1 ? ` (and ${troubles.length - 1} more)` : '';
    if (troubles.length > 0) this.logger.warn(`not given back yet: ${troubles[0]}${more}`);
  }

  private async settleOne(job: Job, troubles: string[]): Promise<void> {
    try {
      const owed = await this.release.settle(job, job.owed, (text) => void troubles.push(text));
      if (owed.length === job.owed.length) return;
      await this.changes.note(job.job, (saved) => ({ ...saved, owed }));
    } catch (error) {
      troubles.push(`job ${job.job}: ${messageOf(error)}`);
    }
  }

  private async prune(signal: AbortSignal): Promise<void> {
    const before = new Date(this.clock.now().getTime() - this.config.keepMs);
    const jobs = new OpenJobs(this.database.manager);
    // Parents are in reach when their children are gone.
    while (!signal.aborted && (await jobs.prune(before, PRUNED_MAX)) > 0);
  }
}
