import { Controller } from '@nestjs/common';
import { brokerPriority } from '#contracts/broker.js';
import type { RequestOf, ResponseOf } from '#contracts/contract.js';
import { jobsCancel, type JobView } from '#contracts/job.js';
import {
  jobsContinue,
  jobsPriority,
  jobsRestart,
  jobsResume,
  jobsSuspend,
} from '#contracts/jobs/commands.js';
import { PermanentError } from '#kernel/errors.js';
import { STATUS } from '#kernel/status.js';
import { Answers } from '#messaging/answers.js';
import { Requests } from '#messaging/requests.js';
import { JobsConfig } from './config.js';
import { refusalText, verdictOf, type Command } from './domain/command.js';
import { draftAgain } from './domain/draft.js';
import type { Decree } from './domain/input.js';
import { JobDriver } from './driving/job-driver.js';
import { JobChanges } from './job-changes.js';
import { JobViews } from './job-views.js';

/** What people ask of jobs that are there. Each may be asked twice; a parent hands it on. */
@Controller()
export class CommandHandlers {
  constructor(
    private readonly changes: JobChanges,
    private readonly driver: JobDriver,
    private readonly requests: Requests,
    private readonly views: JobViews,
    private readonly config: JobsConfig,
  ) {}

  @Answers(jobsCancel)
  cancel({ job }: RequestOf<typeof jobsCancel>): Promise<ResponseOf<typeof jobsCancel>> {
    return this.command(job, { type: 'cancel' });
  }

  @Answers(jobsSuspend)
  suspend({ job }: RequestOf<typeof jobsSuspend>): Promise<ResponseOf<typeof jobsSuspend>> {
    return this.command(job, { type: 'suspend' });
  }

  @Answers(jobsResume)
  resume({ job }: RequestOf<typeof jobsResume>): Promise<ResponseOf<typeof jobsResume>> {
    return this.command(job, { type: 'resume' });
  }

  /** What cannot be gone on with is no error: whoever asks sees in the answer what it is now. */
  @Answers(jobsContinue)
  async continue({
    job,
    failedAt,
    closesAt,
  }: RequestOf<typeof jobsContinue>): Promise<ResponseOf<typeof jobsContinue>> {
    return this.command(job, {
      ...{ type: 'continue', failedAt: new Date(failedAt) },
      closesAt: closesAt === null ? null : new Date(closesAt),
    });
  }

  @Answers(jobsRestart)
  async restart(request: RequestOf<typeof jobsRestart>): Promise<ResponseOf<typeof jobsRestart>> {
    const { job, touched } = await this.changes.restart(
      request.job,
      (old) => draftAgain(old, this.config.backoff),
      request.requestId,
    );
    for (const each of touched) this.driver.drive(each);
    return { job, restarted: await this.views.one(request.job) };
  }

  /** @throws Unavailable when it is saved but the broker does not know yet: ask again. */
  @Answers(jobsPriority)
  async priority(
    request: RequestOf<typeof jobsPriority>,
  ): Promise<ResponseOf<typeof jobsPriority>> {
    const { priority } = request;
    const all = await this.changes.command(
      request.job,
      { type: 'priority', priority },
      refuser('priority'),
    );
    for (const job of all) await this.requests.call(brokerPriority, { job, priority });
    return { job: await this.views.one(request.job) };
  }

  private async command(
    job: number,
    input: Extract<Decree, { type: 'cancel' | 'suspend' | 'resume' | 'continue' }>,
  ): Promise<{ job: JobView }> {
    const check = input.type === 'continue' ? () => {} : refuser(input.type);
    const touched = await this.changes.command(job, input, check);
    for (const each of touched) this.driver.drive(each);
    return { job: await this.views.one(job) };
  }
}

function refuser(command: Command): (job: Parameters<typeof refusalText>[0]) => void {
  return (job) => {
    if (verdictOf(job, command) !== 'refused') return;
    throw new PermanentError(STATUS.cannotProcess, refusalText(job, command), 'job');
  };
}
