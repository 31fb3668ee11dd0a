import { Controller } from '@nestjs/common';
import type { RequestOf, ResponseOf } from '#contracts/contract.js';
import { jobsGet, jobsList } from '#contracts/job.js';
import { Answers } from '#messaging/answers.js';
import { JobViews } from './job-views.js';

/** Requests that only look. */
@Controller()
export class QueryHandlers {
  constructor(private readonly views: JobViews) {}

  @Answers(jobsList)
  async list(filter: RequestOf<typeof jobsList>): Promise<ResponseOf<typeof jobsList>> {
    return { jobs: await this.views.list(filter) };
  }

  @Answers(jobsGet)
  async get(request: RequestOf<typeof jobsGet>): Promise<ResponseOf<typeof jobsGet>> {
    const job = await this.views.one(request.job);
    return { job, ...(await this.views.log(request.job, request.logAfter)) };
  }
}
