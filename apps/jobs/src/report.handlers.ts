import { Controller } from '@nestjs/common';
import type { RequestOf, ResponseOf } from '#contracts/contract.js';
import { jobsReport, type JobProgress } from '#contracts/job.js';
import { Clock } from '#kernel/clock.js';
import { Answers } from '#messaging/answers.js';
import type { Job } from './domain/job.js';
import { heardFrom, isOneOf, participants } from './domain/participants.js';
import { JobDriver } from './driving/job-driver.js';
import { JobChanges } from './job-changes.js';

type Report = RequestOf<typeof jobsReport>;

/** What media servers and agents say of their part. A report may come twice. */
@Controller()
export class ReportHandlers {
  constructor(
    private readonly changes: JobChanges,
    private readonly driver: JobDriver,
    private readonly clock: Clock,
  ) {}

  @Answers(jobsReport)
  async report(report: Report): Promise<ResponseOf<typeof jobsReport>> {
    const now = this.clock.now().getTime();
    const { attempt, from, instance, result } = report;
    // It comes out of JSON, which has no fields that are there and undefined.
    const progress = report.progress as Partial<JobProgress> | undefined;
    const lines = report.lines.map((line) => ({ ...line, attempt }));
    const note = (job: Job) =>
      works(job, report) ? heardFrom(job, report, { now, progress }) : job;
    const input = result && ({ type: 'reported', attempt, from, instance, result } as const);
    const job = await this.changes.hear(report.job, { note, input, lines });
    if (result) this.driver.drive(job);
    return { goOn: works(job, report) };
  }
}

/** Who belongs to an older attempt, or to none, is not heard and told to stop. */
function works(job: Job, report: Report): boolean {
  return (
    job.step === 'running' && job.attempt === report.attempt && isOneOf(participants(job), report)
  );
}
