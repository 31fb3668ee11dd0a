import { Injectable, Logger } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { backoffMs, sleep } from '#kernel/backoff.js';
import { Clock } from '#kernel/clock.js';
import { messageOf, Unavailable } from '#kernel/errors.js';
import type { Startable } from '#service/lifecycle.js';
import { JobsConfig } from './config.js';
import type { Participant } from './domain/decide.js';
import type { Job } from './domain/job.js';
import { JobChanges } from './job-changes.js';
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
  private timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly database: DataSource,
    private readonly changes: JobChanges,
    private readonly steps: JobSteps,
    private readonly clock: Clock,
    private readonly config: JobsConfig,
  ) {}

  start(): void {
    this.timer = setInterval(() => void this.look(), LOOK_MS);
    void this.look();
  }

  async stop(): Promise<void> {
    clearInterval(this.timer);
    this.stopping.abort();
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
    if (!input) return false;
    const after = await this.changes.apply(number, input);
    return after.step !== saved.job.step;
  }

  private async look(): Promise<void> {
    try {
      for (const { job } of await new Jobs(this.database.manager).open()) {
        await this.checkSilence(job);
        await this.keepLease(job);
        this.drive(job.job);
      }
    } catch (error) {
      this.logger.warn(`cannot look at open jobs: ${messageOf(error)}`);
    }
  }

  /** A job may run for longer than the broker lends. */
  private async keepLease(job: Job): Promise<void> {
    if (!leaseRunsOut(job, this.clock.now())) return;
    await this.changes.apply(job.job, await this.steps.renew(job));
  }

  private async checkSilence(job: Job): Promise<void> {
    if (job.step !== 'running') return;
    const now = this.clock.now().getTime();
    const begun = job.startedAt?.getTime() ?? now;
    for (const from of expected(job)) {
      const heard = Math.max(job.heard[from], begun);
      if (now - heard > this.config.silenceMsMax) {
        await this.changes.apply(job.job, { type: 'silent', from, started: job.heard[from] > 0 });
        return;
      }
    }
  }
}

/** A lease that has less than this left is prolonged. */
const RENEW_MS = 30 * 60_000;

function leaseRunsOut(job: Job, now: Date): boolean {
  if (job.step !== 'running' || !job.allocation) return false;
  return Date.parse(job.allocation.leaseUntil) - now.getTime() < RENEW_MS;
}

/** Whose voice is missed: those that have not reported their end. */
function expected(job: Job): Participant[] {
  const all: Participant[] = job.type === 'backup' ? ['media', 'agent'] : ['agent'];
  return all.filter((from) => !job.results[from]);
}
