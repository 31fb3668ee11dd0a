import { Injectable, Logger } from '@nestjs/common';
import { jobsBackup } from '#contracts/job.js';
import type { PolicySpec, Schedule } from '#contracts/policy.js';
import { PermanentError } from '#kernel/errors.js';
import { Requests } from '#messaging/requests.js';
import { requestIdOf, type Entry } from './domain/agenda.js';
import { JobRecord } from './job-record.js';

export interface Submission {
  readonly policy: PolicySpec;
  readonly schedule: Schedule;
  readonly client: string;
  /** The same id makes the same job; without one each call makes another. */
  readonly requestId?: string;
}

/** Turns a policy's schedule and client into a job. */
@Injectable()
export class Submitter {
  private readonly logger = new Logger('scheduler');

  constructor(
    private readonly requests: Requests,
    private readonly record: JobRecord,
  ) {}

  /** Throws `PermanentError` when the job manager refuses, `Unavailable` when it is away. */
  async submit({ policy, schedule, client, requestId }: Submission): Promise<number> {
    const { selections, excludes, storage, priority, crossMountPoints, compressionLevel } = policy;
    const { job } = await this.requests.call(jobsBackup, {
      policy: policy.name,
      schedule: schedule.name,
      client,
      kind: schedule.type,
      retention: schedule.retention,
      ...{ selections, excludes, storage, priority, crossMountPoints, compressionLevel },
      ...(requestId === undefined ? {} : { requestId }),
    });
    await this.record.submitted({ policy: policy.name, schedule: schedule.name, client }, job);
    return job;
  }

  /** Submits a run that is due. A refusal is written down, so that it is not tried at once again. */
  async submitDue(entry: Entry): Promise<void> {
    const { policy, schedule, client, reason } = entry;
    const what = `${policy.name} ${schedule.name} ${client}`;
    try {
      const job = await this.submit({ ...entry, requestId: requestIdOf(entry) });
      this.logger.log(`${what}: job ${job} (${reason})`);
    } catch (error) {
      if (!(error instanceof PermanentError)) throw error;
      this.logger.warn(`${what}: refused with status ${error.status}: ${error.message}`);
      const key = { policy: policy.name, schedule: schedule.name, client };
      await this.record.refused(key, error.status);
    }
  }
}
