import { Injectable, Logger } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { jobsBackup } from '#contracts/job.js';
import { jobsContinue } from '#contracts/jobs/commands.js';
import type { Retention } from '#contracts/schedule.js';
import { PermanentError, Unavailable } from '#kernel/errors.js';
import { STATUS } from '#kernel/status.js';
import { Requests } from '#messaging/requests.js';
import { backupRequestOf, type Submission } from './domain/backup-request.js';
import { requestIdOf, type Entry } from './domain/due/agenda.js';
import { reasonOf } from './domain/due/reason.js';
import { periodOf } from './domain/retention-levels.js';
import { JobRecord } from './job-record.js';
import { RetentionLevels } from './persistence/retention-levels.js';

/** Turns a policy's schedule and client into a job, or goes on with the one that is incomplete. */
@Injectable()
export class Submitter {
  private readonly logger = new Logger('scheduler');

  constructor(
    private readonly database: DataSource,
    private readonly requests: Requests,
    private readonly record: JobRecord,
  ) {}

  /** Throws `PermanentError` when the job manager refuses, `Unavailable` when it is away. */
  async submit(submission: Submission): Promise<number> {
    const { policy, schedule, client, dueAt } = submission;
    const retention = await this.resolved(schedule.retention);
    const { job } = await this.requests.call(jobsBackup, backupRequestOf(submission, retention));
    const key = { policy: policy.name, schedule: schedule.name, client };
    await this.record.submitted({ ...key, job, dueAt });
    return job;
  }

  /** Submits a run that is due. A refusal is written down, so that it is not tried at once again. */
  async submitDue(entry: Entry): Promise<void> {
    const { policy, schedule, client, dueAt, closesAt } = entry;
    const what = `${policy.name} ${schedule.name} ${client}`;
    try {
      const job = await this.submit({
        ...{ policy, schedule, client, dueAt, closesAt, origin: 'scheduled' },
        requestId: requestIdOf(entry),
      });
      this.logger.log(`${what}: job ${job} (${reasonOf(entry, entry.times, Number(dueAt))})`);
    } catch (error) {
      if (!(error instanceof PermanentError)) throw error;
      this.logger.warn(`${what}: refused with status ${error.status}: ${error.message}`);
      const key = { policy: policy.name, schedule: schedule.name, client };
      await this.record.refused(key, error.status);
    }
  }

  /**
   * Goes on with the job of an entry that is incomplete. Asking twice is harmless: the job manager
   * knows by its failure whether it was gone on with. One that does not answer is asked in the next
   * round, and holds up nobody else.
   */
  async goOn(entry: Entry): Promise<void> {
    const { job, failedAt } = entry.running ?? {};
    if (job === undefined || !failedAt) return;
    const what = `${entry.policy.name} ${entry.schedule.name} ${entry.client}: job ${job}`;
    try {
      const { job: view } = await this.requests.call(jobsContinue, {
        ...{ job, failedAt: failedAt.toISOString() },
        closesAt: entry.closesAt?.toISOString() ?? null,
      });
      await this.record.found(view);
      this.logger.log(`${what}: ${view.state} (${reasonOf(entry, entry.times, +entry.dueAt!)})`);
    } catch (error) {
      const isRefused = error instanceof PermanentError;
      if (!isRefused && !(error instanceof Unavailable)) throw error;
      this.logger.warn(`${what} could not be gone on with: ${error.message}`);
      if (isRefused && error.status === STATUS.noSuchJob) await this.record.lost(job);
    }
  }

  private async resolved(retention: Retention): Promise<string> {
    if (typeof retention === 'string') return retention;
    return periodOf(retention, await new RetentionLevels(this.database.manager).changed());
  }
}
