import { Injectable, Logger } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { backoffMs, sleep } from '#kernel/backoff.js';
import { messageOf, Unavailable } from '#kernel/errors.js';
import type { Startable } from '#service/lifecycle.js';
import type { Job } from './domain/job.js';
import { JobChanges } from './job-changes.js';
import { JobSilence } from './job-silence.js';
import { JobSteps } from './job-steps.js';
import { Jobs } from './persistence/jobs.js';

/** Looks at every open job that often, whatever was or was not heard. */
const LOOK_MS = 2_000;
const RETRY = { firstMs: 100, maxMs: 10_000, jitter: 0.5 };

/**
 * Takes every open job as far as it can go, step by step. Nothing that it does depends on memory:
 * after a crash it goes on from what was saved.
 */
@Injectable()
export class JobDriver implements Startable {
  private readonly logger = new Logger('jobs');
  private readonly stopping = new AbortController();
  private readonly driven = new Map<number, Promise<void>>();
  private readonly again = new Set<number>();
  private readonly alarms = new Map<number, NodeJS.Timeout>();
  private timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly database: DataSource,
    private readonly changes: JobChanges,
    private readonly steps: JobSteps,
    private readonly silence: JobSilence,
  ) {}

  start(): void {
    this.timer = setInterval(() => void this.look(), LOOK_MS);
    void this.look();
  }

  async stop(): Promise<void> {
    clearInterval(this.timer);
    this.stopping.abort();
    for (const alarm of this.alarms.values()) clearTimeout(alarm);
    await Promise.all(this.driven.values());
  }

  /** Something happened to a job: see how far it can go now. */
  drive(job: number): void {
    if (this.stopping.signal.aborted) return;
    if (this.driven.has(job)) {
      this.again.add(job);
      return;
    }
    const run = this.advance(job).finally(() => {
      this.driven.delete(job);
      if (this.again.delete(job)) this.drive(job);
    });
    this.driven.set(job, run);
  }

  private async advance(number: number): Promise<void> {
    for (let failures = 0; !this.stopping.signal.aborted;) {
      try {
        if (!(await this.step(number))) return;
        failures = 0;
      } catch (error) {
        failures += 1;
        const text = messageOf(error);
        if (error instanceof Unavailable) this.logger.warn(`job ${number}: ${text}`);
        else this.logger.error(`job ${number}: ${error instanceof Error ? error.stack : text}`);
        await sleep(backoffMs(failures, RETRY, 0.5), this.stopping.signal);
      }
    }
  }

  /** True when the job moved on and may go further. */
  private async step(number: number): Promise<boolean> {
    const saved = await new Jobs(this.database.manager).find(number);
    if (!saved || saved.job.step === 'done') return false;
    const input = await this.steps.perform(saved.job);
    const after = input ? await this.changes.apply(number, input) : saved.job;
    this.comeBack(after);
    return after.step !== saved.job.step || after.attempt !== saved.job.attempt;
  }

  /** For a job that waits for a moment and not for an answer. */
  private comeBack(job: Job): void {
    const waitMs = this.steps.waitMs(job);
    if (waitMs === undefined || waitMs > LOOK_MS || this.stopping.signal.aborted) return;
    clearTimeout(this.alarms.get(job.job));
    const alarm = setTimeout(() => {
      this.alarms.delete(job.job);
      this.drive(job.job);
    }, waitMs);
    this.alarms.set(job.job, alarm);
  }

  private async look(): Promise<void> {
    this.silence.listen();
    try {
      for (const { job } of await new Jobs(this.database.manager).open()) {
        await this.lookAt(job);
        this.drive(job.job);
      }
    } catch (error) {
      this.logger.warn(`cannot look at open jobs: ${messageOf(error)}`);
    }
  }

  /** Trouble with one job is no reason not to look at the others. */
  private async lookAt(job: Job): Promise<void> {
    try {
      const missed = this.silence.missedOf(job);
      if (missed) await this.changes.apply(job.job, missed);
      // A job may run for longer than the broker lends.
      else if (this.steps.leaseRunsOut(job)) {
        await this.changes.apply(job.job, await this.steps.renew(job));
      }
    } catch (error) {
      this.logger.warn(`cannot look at job ${job.job}: ${messageOf(error)}`);
    }
  }
}
