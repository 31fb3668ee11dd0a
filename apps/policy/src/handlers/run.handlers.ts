import { Controller } from '@nestjs/common';
import { DataSource } from 'typeorm';
import type { RequestOf, ResponseOf } from '#contracts/contract.js';
import { policyRun, policyUserBackup } from '#contracts/policy.js';
import { uuidOf } from '#kernel/ids.js';
import { PermanentError, Unavailable } from '#kernel/errors.js';
import { Answers } from '#messaging/answers.js';
import { planRun } from '../domain/run.js';
import { parallel } from '../parallel.js';
import { Policies } from '../persistence/policies.js';
import { Submitter } from '../submitter.js';
import { UserBackups } from '../user-backups.js';

const SUBMISSIONS_AT_ONCE = 8;
/** So many without an answer: the others need not be asked. */
const FAILURES_MAX = 8;

@Controller()
export class RunHandlers {
  constructor(
    private readonly database: DataSource,
    private readonly userBackups: UserBackups,
    private readonly submitter: Submitter,
  ) {}

  /**
   * Whoever is refused stands in the answer, as does what was not asked for because the job manager
   * does not answer: jobs that were started are told in any case. Where nothing was, the first
   * refusal is the answer.
   */
  @Answers(policyRun)
  async run(request: RequestOf<typeof policyRun>): Promise<ResponseOf<typeof policyRun>> {
    const policy = await new Policies(this.database.manager).get(request.name);
    const { schedule, clients } = planRun(policy, request);
    const jobs: { job: number; client: string }[] = [];
    const refusals: { client: string; error: PermanentError | Unavailable }[] = [];
    const failures: Unavailable[] = [];
    await parallel(clients, SUBMISSIONS_AT_ONCE, async (client) => {
      const away = failures[FAILURES_MAX - 1];
      if (away !== undefined) return void refusals.push({ client, error: away });
      try {
        const job = await this.submitter.submit({
          ...{ policy, schedule, client, origin: 'immediate', dueAt: null, closesAt: null },
          requestId: request.requestId && uuidOf(`${request.requestId}\n${client}`),
        });
        jobs.push({ client, job });
      } catch (error) {
        if (error instanceof Unavailable) failures.push(error);
        else if (!(error instanceof PermanentError)) throw error;
        refusals.push({ client, error });
      }
    });
    if (jobs.length === 0 && refusals[0] !== undefined) throw refusals[0].error;
    return {
      jobs: jobs.sort((a, b) => a.job - b.job),
      refused: refusals.map(({ client, error: { status, message } }) => ({
        client,
        status,
        message,
      })),
    };
  }

  @Answers(policyUserBackup)
  userBackup(
    request: RequestOf<typeof policyUserBackup>,
  ): Promise<ResponseOf<typeof policyUserBackup>> {
    return this.userBackups.start(request);
  }
}
