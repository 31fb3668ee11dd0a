import { Injectable, Logger } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { backoffMs } from '#kernel/backoff.js';
import { Batches } from '#kernel/batches.js';
import { Clock } from '#kernel/clock.js';
import { isDatabaseAway } from '#kernel/database-failure.js';
import { messageOf, Unavailable } from '#kernel/errors.js';
import { STATUS } from '#kernel/status.js';
import { MessageTooLarge } from '#outbox/unit-of-work.js';
import type { Startable } from '#service/lifecycle.js';
import type { Input } from '../domain/input.js';
import type { Job } from '../domain/job.js';
import { JobChanges } from '../job-changes.js';
import { Jobs } from '../persistence/jobs.js';
import { JobSteps } from '../steps/job-steps.js';
import { DriveQueue, type Again, type Urgency } from './drive-queue.js';

const RETRY = { firstMs: 100, maxMs: 10_000, jitter: 0.5 };

/**
 * The more jobs get no answer, the longer each one that waits for resources does: whoever does not
 * answer is asked so often, and no more.
 */
const ASKS_PER_SECOND_MAX = 100;

/** With more jobs than that without an answer, each line would say the same. */
const LOGGED_MAX = 20;

/** After so long without an answer the job says who does not answer. */
const TROUBLE_MS = 3_000;

/** A job that wants to be looked at later than that is found by whoever looks at all of them. */
const ALARM_MS_MAX = 5_000;

const READ_TOGETHER = { batchMax: 64, parallelMax: 2 };

interface Failing {
  readonly since: number;
  readonly times: number;
}

/**
 * Takes a job as far as it can go, step by step. Nothing that it does depends on memory: after a
 * crash it goes on from what was saved.
 */
@Injectable()
export class JobDriver implements Startable {
  private readonly logger = new Logger('jobs');
  private readonly queue = new DriveQueue((job) => this.work(job));
  /** Jobs whose question failed last, until it is answered. */
  private readonly failing = new Map<number, Failing>();
  /** As their last change has left them; they need not be read. */
  private readonly changed = new Map<number, Job>();
  private isStopping = false;
  private readonly reads: Batches<number, Job | undefined>;

  constructor(
    private readonly database: DataSource,
    private readonly changes: JobChanges,
    private readonly steps: JobSteps,
    private readonly clock: Clock,
  ) {
    this.reads = new Batches({ ...READ_TOGETHER, run: (numbers) => this.read(numbers) });
  }

  start(): void {
    this.isStopping = false;
  }

  async stop(): Promise<void> {
    this.isStopping = true;
    await this.queue.stop();
  }

  /** Something happened to a job: see how far it can go now. Whoever has just changed it gives it as it is. */
  drive(job: number | Job, urgency: Urgency = 'urgent'): void {
    const number = typeof job === 'number' ? job : job.job;
    if (typeof job === 'number') this.changed.delete(number);
    else this.changed.set(number, job);
    this.queue.add(number, urgency);
  }

  /** Jobs that wait to be driven. */
  get waiting(): number {
    return this.queue.waiting;
  }

  private async work(number: number): Promise<Again | undefined> {
    const began = this.clock.now().getTime();
    let job: Job | undefined;
    try {
      let next = this.changed.get(number) ?? (await this.reads.add(number));
      this.changed.delete(number);
      while (next && !this.isStopping) {
        job = next;
        next = await this.step(job);
      }
      this.failing.delete(number);
      const waitMs = job && this.steps.waitMs(job);
      if (waitMs === undefined || waitMs > ALARM_MS_MAX) return undefined;
      return { afterMs: waitMs, urgency: 'urgent' };
    } catch (error) {
      return this.failed(number, { job, error, began });
    } finally {
      // What has come meanwhile may be older than what was done here.
      this.changed.delete(number);
    }
  }

  private async read(numbers: readonly number[]): Promise<(() => Job | undefined)[]> {
    const found = await new Jobs(this.database.manager).findAll(numbers);
    const jobs = new Map(found.map(({ job }) => [job.job, job]));
    return numbers.map((number) => () => jobs.get(number));
  }

  /** The job when it moved on and may go further. */
  private async step(job: Job): Promise<Job | undefined> {
    if (job.step === 'done') return undefined;
    const input = await this.steps.perform(job);
    if (!input) return undefined;
    const after = await this.apply(job, input);
    return questionOf(after) === questionOf(job) ? undefined : after;
  }

  /** What cannot be told to those who are to work for a job ends it: at the next try it would be as large. */
  private async apply({ job, attempt, step }: Job, input: Input): Promise<Job> {
    try {
      return await this.changes.apply(job, input);
    } catch (error) {
      if (!(error instanceof MessageTooLarge)) throw error;
      const message = `The tasks of this job are too large (${error.message}): divide it among several.`;
      return this.changes.apply(job, {
        type: 'refused',
        attempt,
        step,
        status: STATUS.invalidParameter,
        message,
      });
    }
  }

  /** The pause before the same question is asked again. */
  private async failed(
    number: number,
    { job, error, began }: { job: Job | undefined; error: unknown; began: number },
  ): Promise<Again> {
    const now = this.clock.now().getTime();
    const { since, times } = this.failing.get(number) ?? { since: began, times: 0 };
    this.failing.set(number, { since, times: times + 1 });
    const text = messageOf(error);
    const away = awayText(error);
    if (away !== undefined) {
      if (this.failing.size <= LOGGED_MAX) this.logger.warn(`job ${number}: ${text}`);
    } else this.logger.error(`job ${number}: ${error instanceof Error ? error.stack : text}`);
    if (job && now - since >= TROUBLE_MS) {
      const message = away ?? 'internal error: see the log of jobs';
      await this.say(number, {
        ...{ type: 'unanswered', attempt: job.attempt, step: job.step, message },
      });
    }
    const pauseMs = backoffMs(times + 1, RETRY, 0.5);
    // Whoever waits for resources waits on; what has begun, or ends, is not to wait behind it.
    const isWaiting = job?.step === 'planning' || job?.step === 'allocating';
    if (!isWaiting) return { afterMs: pauseMs, urgency: 'urgent' };
    const crowdMs = (this.failing.size * 1_000) / ASKS_PER_SECOND_MAX;
    return { afterMs: Math.max(crowdMs, pauseMs), urgency: 'soon' };
  }

  private async say(job: number, input: Input): Promise<void> {
    try {
      await this.changes.apply(job, input);
    } catch (error) {
      this.logger.warn(`job ${job}: ${messageOf(error)}`);
    }
  }
}

/** What is away, in words for the job; undefined for anything that does not come back by itself. */
function awayText(error: unknown): string | undefined {
  if (error instanceof Unavailable) return error.message;
  return isDatabaseAway(error) ? 'the database is away or busy' : undefined;
}

/** Which question a job is at; there may be several at one step. */
function questionOf({ step, attempt, retry, pause }: Job): string {
  const isLetGo = retry?.isLetGo ?? pause?.isLetGo;
  return [step, attempt, isLetGo, step === 'weighing' && retry?.drain === null].join();
}
