import { Controller } from '@nestjs/common';
import type { RequestOf, ResponseOf } from '#contracts/contract.js';
import { jobsBackup, jobsDuplicate, jobsRestore, jobsVerify } from '#contracts/job.js';
import { InvalidInput } from '#kernel/errors.js';
import { Answers } from '#messaging/answers.js';
import { JobsConfig } from './config.js';
import {
  alone,
  backupDrafts,
  duplicateDraft,
  restoreDraft,
  verifyDraft,
  type Draft,
} from './domain/draft.js';
import { sourceClient } from './domain/job.js';
import { refuseTooLarge } from './request-size.js';
import { JobDriver } from './driving/job-driver.js';
import { JobChanges } from './job-changes.js';
import { KnownClients } from './known-clients.js';

/** Requests that make jobs. */
@Controller()
export class SubmitHandlers {
  constructor(
    private readonly changes: JobChanges,
    private readonly driver: JobDriver,
    private readonly clients: KnownClients,
    private readonly config: JobsConfig,
  ) {}

  @Answers(jobsBackup)
  async backup(request: RequestOf<typeof jobsBackup>): Promise<ResponseOf<typeof jobsBackup>> {
    refuseTooLarge(request);
    await this.clients.require(request.client);
    if (request.synthetic && request.kind !== 'full') throw notSynthetic(request.kind);
    return this.submit(backupDrafts(request, this.config.backoff), request.requestId);
  }

  @Answers(jobsRestore)
  async restore(request: RequestOf<typeof jobsRestore>): Promise<ResponseOf<typeof jobsRestore>> {
    refuseTooLarge(request);
    await this.clients.require(request.toClient ?? sourceClient(request));
    return this.submit(alone(restoreDraft(request, this.config.backoff)), request.requestId);
  }

  /** Needs no client: its image is moved among media servers. */
  @Answers(jobsDuplicate)
  duplicate(request: RequestOf<typeof jobsDuplicate>): Promise<ResponseOf<typeof jobsDuplicate>> {
    return this.submit(alone(duplicateDraft(request, this.config.backoff)), request.requestId);
  }

  @Answers(jobsVerify)
  verify(request: RequestOf<typeof jobsVerify>): Promise<ResponseOf<typeof jobsVerify>> {
    return this.submit(alone(verifyDraft(request, this.config.backoff)), request.requestId);
  }

  private async submit(draft: Draft, requestId: string | undefined): Promise<{ job: number }> {
    const { job, all } = await this.changes.create(draft, requestId);
    for (const each of all) this.driver.drive(each, 'soon');
    return { job };
  }
}

function notSynthetic(kind: string): InvalidInput {
  return new InvalidInput(`synthetic: only a full can be synthetic, not a ${kind}`, 'synthetic');
}
