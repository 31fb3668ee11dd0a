import { Injectable } from '@nestjs/common';
import { Unavailable } from '#kernel/errors.js';
import { JobsConfig } from '../config.js';
import type { Job } from '../domain/job.js';
import { JobChanges } from '../job-changes.js';
import { JobSteps } from '../steps/job-steps.js';
import { JobSilence } from './job-silence.js';

/** What the rounds look after: silence, leases, and how long a job may stand still. */
@Injectable()
export class RoundsWatch {
  private isBrokerAway = false;

  constructor(
    private readonly changes: JobChanges,
    private readonly steps: JobSteps,
    private readonly silence: JobSilence,
    private readonly config: JobsConfig,
  ) {}

  /** A round begins. */
  listen(): void {
    this.isBrokerAway = false;
    this.silence.listen();
  }

  /** A round could not be made: the database is away, and what participants report is lost, too. */
  deaf(): void {
    this.silence.deaf();
  }

  async lookAt(job: Job): Promise<void> {
    const missed = this.silence.missedOf(job);
    if (missed) await this.changes.apply(job.job, missed);
    // A job may run for longer than the broker lends.
    else if (this.steps.leaseRunsOut(job) && !this.isBrokerAway) await this.renew(job);
  }

  /**
   * The job may end while the broker is asked, and be given back before that. A broker that does not answer for one job
   * is not waited for with the next.
   */
  private async renew(job: Job): Promise<void> {
    try {
      const { step, attempt } = await this.changes.apply(job.job, await this.steps.renew(job));
      if (step !== 'running' || attempt !== job.attempt) await this.steps.giveBack(job);
    } catch (error) {
      this.isBrokerAway ||= error instanceof Unavailable;
      throw error;
    }
  }

  pausedBefore(step: 'suspended' | 'incomplete', now: Date): Date {
    const { suspendedMsMax, incompleteMsMax } = this.config;
    return new Date(now.getTime() - (step === 'suspended' ? suspendedMsMax : incompleteMsMax));
  }
}
