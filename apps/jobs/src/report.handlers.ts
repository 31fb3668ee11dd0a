import { Controller } from '@nestjs/common';
import type { RequestOf, ResponseOf } from '#contracts/contract.js';
import { jobsReport } from '#contracts/job.js';
import { Clock } from '#kernel/clock.js';
import { Answers } from '#messaging/answers.js';
import type { Job } from './domain/job.js';
import { JobChanges } from './job-changes.js';
import { JobDriver } from './job-driver.js';

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
    const lines = report.lines.map((line) => ({ ...line, attempt: report.attempt }));
    let job = await this.changes.note(report.job, (found) => heard(found, report, now), lines);
    if (!runs(job, report)) return { goOn: false };
    if (report.result) {
      job = await this.changes.apply(report.job, {
        type: 'reported',
        from: report.from,
        result: report.result,
      });
      this.driver.drive(report.job);
    }
    return { goOn: runs(job, report) };
  }
}

function runs(job: Job, report: Report): boolean {
  return job.step === 'running' && job.attempt === report.attempt;
}

/** A sign of life, and how far it is. Who belongs to an older attempt is not heard. */
function heard(job: Job, report: Report, now: number): Job {
  if (!runs(job, report)) return job;
  return {
    ...job,
    heard: { ...job.heard, [report.from]: now },
    ...(report.progress ? { progress: { ...job.progress, ...report.progress } } : {}),
  } as Job;
}
