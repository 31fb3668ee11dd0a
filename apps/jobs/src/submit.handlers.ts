import { Controller } from '@nestjs/common';
import { brokerClient } from '#contracts/broker.js';
import type { RequestOf, ResponseOf } from '#contracts/contract.js';
import { jobsBackup, jobsCancel, jobsDuplicate, jobsRestore, jobsVerify } from '#contracts/job.js';
import { PermanentError } from '#kernel/errors.js';
import { Answers } from '#messaging/answers.js';
import { Requests } from '#messaging/requests.js';
import { JobsConfig } from './config.js';
import {
  backupDraft,
  duplicateDraft,
  firstLine,
  restoreDraft,
  verifyDraft,
} from './domain/draft.js';
import { sourceClient, type Job } from './domain/job.js';
import { JobChanges } from './job-changes.js';
import { JobDriver } from './job-driver.js';
import { JobViews } from './job-views.js';

/** Requests that make or end jobs. */
@Controller()
export class SubmitHandlers {
  constructor(
    private readonly changes: JobChanges,
    private readonly driver: JobDriver,
    private readonly requests: Requests,
    private readonly views: JobViews,
    private readonly config: JobsConfig,
  ) {}

  @Answers(jobsBackup)
  async backup(request: RequestOf<typeof jobsBackup>): Promise<ResponseOf<typeof jobsBackup>> {
    await this.requireClient(request.client);
    return this.submit(backupDraft(request, this.config.backoff));
  }

  @Answers(jobsRestore)
  async restore(request: RequestOf<typeof jobsRestore>): Promise<ResponseOf<typeof jobsRestore>> {
    await this.requireClient(request.toClient ?? sourceClient(request));
    return this.submit(restoreDraft(request, this.config.backoff));
  }

  /** Needs no client: its image is moved among media servers. */
  @Answers(jobsDuplicate)
  duplicate(request: RequestOf<typeof jobsDuplicate>): Promise<ResponseOf<typeof jobsDuplicate>> {
    return this.submit(duplicateDraft(request, this.config.backoff));
  }

  @Answers(jobsVerify)
  verify(request: RequestOf<typeof jobsVerify>): Promise<ResponseOf<typeof jobsVerify>> {
    return this.submit(verifyDraft(request, this.config.backoff));
  }

  @Answers(jobsCancel)
  async cancel({ job }: RequestOf<typeof jobsCancel>): Promise<ResponseOf<typeof jobsCancel>> {
    const cancelled = await this.changes.apply(job, { type: 'cancel' });
    this.driver.drive(job);
    return { job: await this.views.one(cancelled.job) };
  }

  private async submit(draft: Job): Promise<{ job: number }> {
    const job = await this.changes.create(draft, draft.request.requestId, firstLine(draft));
    this.driver.drive(job);
    return { job };
  }

  /** Better now than in a job that can never start. */
  private async requireClient(client: string): Promise<void> {
    const { state } = await this.requests.call(brokerClient, { client });
    if (state === 'down') {
      throw new PermanentError(
        1000,
        `Client "${client}" is offline: its agent does not answer. Start it, then try again.`,
        'client',
      );
    }
  }
}
