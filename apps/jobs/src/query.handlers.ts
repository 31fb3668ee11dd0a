import { Controller } from '@nestjs/common';
import type { RequestOf, ResponseOf } from '#contracts/contract.js';
import { jobsGet, jobsList } from '#contracts/job.js';
import { jobsSummary } from '#contracts/jobs/summary.js';
import { Answers } from '#messaging/answers.js';
import { JobViews } from './job-views.js';

/** Requests that only look. */
@Controller()
export class QueryHandlers {
  constructor(private readonly views: JobViews) {}

  @Answers(jobsList)
  list(filter: RequestOf<typeof jobsList>): Promise<ResponseOf<typeof jobsList>> {
    return this.views.list(filter);
  }

  @Answers(jobsSummary)
  summary(_request: RequestOf<typeof jobsSummary>): Promise<ResponseOf<typeof jobsSummary>> {
    return this.views.summary();
  }

  @Answers(jobsGet)
  async get({ job, ...wanted }: RequestOf<typeof jobsGet>): Promise<ResponseOf<typeof jobsGet>> {
    const detail = await this.views.detail(job);
    return { ...detail, ...(await this.views.log(job, wanted)) };
  }
}
