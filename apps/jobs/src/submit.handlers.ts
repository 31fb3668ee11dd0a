import { Controller } from '@nestjs/common';
import { brokerClient } from '#contracts/broker.js';
import type { RequestOf, ResponseOf } from '#contracts/contract.js';
import { jobsBackup, jobsCancel, jobsRestore } from '#contracts/job.js';
import { PermanentError } from '#kernel/errors.js';
import { Answers } from '#messaging/answers.js';
import { Requests } from '#messaging/requests.js';
import { NO_PROGRESS, sourceClient, type Job } from './domain/job.js';
import { JobChanges } from './job-changes.js';
import { JobDriver } from './job-driver.js';
import { JobViews } from './job-views.js';

const FRESH = {
  job: 0,
  attempt: 1,
  outcome: null,
  allocation: null,
  waitsFor: '',
  startedAt: null,
  endedAt: null,
  progress: NO_PROGRESS,
  heard: { media: 0, agent: 0 },
  results: {},
} as const;

/** Requests that make or end jobs. */
@Controller()
export class SubmitHandlers {
  constructor(
    private readonly changes: JobChanges,
    private readonly driver: JobDriver,
    private readonly requests: Requests,
    private readonly views: JobViews,
  ) {}

  @Answers(jobsBackup)
  async backup(request: RequestOf<typeof jobsBackup>): Promise<ResponseOf<typeof jobsBackup>> {
    await this.requireClient(request.client);
    const draft: Job = { ...FRESH, type: 'backup', step: 'allocating', request, image: null };
    const line = `requesting resource ${request.storage}`;
    return this.submit(draft, request.requestId, line);
  }

  @Answers(jobsRestore)
  async restore(request: RequestOf<typeof jobsRestore>): Promise<ResponseOf<typeof jobsRestore>> {
    await this.requireClient(request.toClient ?? sourceClient(request));
    const draft: Job = {
      ...FRESH,
      type: 'restore',
      step: 'planning',
      request,
      toClient: null,
      chain: [],
    };
    return this.submit(draft, request.requestId, `restore to ${request.destination}`);
  }

  @Answers(jobsCancel)
  async cancel({ job }: RequestOf<typeof jobsCancel>): Promise<ResponseOf<typeof jobsCancel>> {
    const cancelled = await this.changes.apply(job, { type: 'cancel' });
    this.driver.drive(job);
    return { job: await this.views.one(cancelled.job) };
  }

  private async submit(draft: Job, requestId: string | undefined, line: string) {
    const job = await this.changes.create(draft, requestId, line);
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
