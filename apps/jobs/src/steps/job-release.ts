import { Injectable, Logger } from '@nestjs/common';
import { brokerRelease } from '#contracts/broker.js';
import { imageAbandon } from '#contracts/image.js';
import { messageOf, PermanentError, Unavailable } from '#kernel/errors.js';
import { STATUS } from '#kernel/status.js';
import { Requests } from '#messaging/requests.js';
import { isSynthetic, type BackupJob, type Debt, type Job } from '../domain/job.js';
import { JobSources } from './job-sources.js';

/** Whoever ends a job does not wait for longer; what is left is given back later. */
const ANSWER_MS_MAX = 2_000;

/** Gives back what a job holds elsewhere. Each may be given back twice. */
@Injectable()
export class JobRelease {
  private readonly logger = new Logger('jobs');

  constructor(
    private readonly requests: Requests,
    private readonly sources: JobSources,
  ) {}

  /** All that there may be to give back when a job ends. */
  debtsOf(job: Job): Debt[] {
    const failed = (job.outcome?.status ?? 0) > STATUS.partial;
    if (job.type !== 'backup') return ['pins', 'resources'];
    const image: Debt[] = failed && job.image ? ['image'] : [];
    return [...image, ...(isSynthetic(job) ? (['pins'] as const) : []), 'resources'];
  }

  /** Asks for all of them at once; returns those that nobody has taken, and tells why. */
  async settle(
    job: Job,
    debts: readonly Debt[],
    tell = (text: string) => this.logger.warn(text),
  ): Promise<Debt[]> {
    const open = await Promise.all(
      debts.map(async (debt) => ((await this.isSettled(job, debt, tell)) ? [] : [debt])),
    );
    return open.flat();
  }

  /** Throws `Unavailable` when the broker does not answer. */
  async giveBack({ job, attempt }: Pick<Job, 'job' | 'attempt'>): Promise<void> {
    const options = { timeoutMs: ANSWER_MS_MAX };
    await this.permitted(job, this.requests.call(brokerRelease, { job, attempt }, options));
  }

  async abandonImage(job: BackupJob): Promise<void> {
    if (!job.image) return;
    const which = { imageId: job.image.imageId, job: job.job };
    const options = { timeoutMs: ANSWER_MS_MAX };
    await this.permitted(job.job, this.requests.call(imageAbandon, which, options));
  }

  private async isSettled(job: Job, debt: Debt, tell: (text: string) => void): Promise<boolean> {
    try {
      await this.pay(job, debt);
      return true;
    } catch (error) {
      if (!(error instanceof Unavailable)) throw error;
      tell(`job ${job.job}: ${messageOf(error)}`);
      return false;
    }
  }

  private async pay(job: Job, debt: Debt): Promise<void> {
    switch (debt) {
      case 'image':
        return job.type === 'backup' ? this.abandonImage(job) : undefined;
      case 'pins':
        return this.permitted(job.job, this.sources.unpin(job, ANSWER_MS_MAX));
      case 'resources':
        return this.giveBack(job);
      default:
        return debt satisfies never;
    }
  }

  /** A job on its way out is not held up by who refuses. */
  private async permitted(job: number, request: Promise<unknown>): Promise<void> {
    try {
      await request;
    } catch (error) {
      if (!(error instanceof PermanentError)) throw error;
      this.logger.error(`job ${job}: ${error.message}`);
    }
  }
}
