import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import type { RequestOf, ResponseOf } from '#contracts/contract.js';
import type { policyUserBackup } from '#contracts/policy.js';
import { Clock } from '#kernel/clock.js';
import { planUserRun } from './domain/user-run.js';
import { Policies } from './persistence/policies.js';
import { PolicyPlans } from './policy-plans.js';
import { Submitter } from './submitter.js';

/** Starts what the user of a client asks for, where a window of a user schedule is open. */
@Injectable()
export class UserBackups {
  constructor(
    private readonly database: DataSource,
    private readonly plans: PolicyPlans,
    private readonly submitter: Submitter,
    private readonly clock: Clock,
  ) {}

  async start({
    selections,
    requestId,
    ...request
  }: RequestOf<typeof policyUserBackup>): Promise<ResponseOf<typeof policyUserBackup>> {
    const db = this.database.manager;
    if (request.policy !== undefined) await new Policies(db).get(request.policy);
    const plans = (await this.plans.read(db, request.policy)).map(({ plan }) => plan);
    const { policy, schedule, closesAt } = planUserRun(plans, request, this.clock.now());
    const job = await this.submitter.submit({
      ...{ policy, schedule, client: request.client, origin: 'user', dueAt: null, closesAt },
      requestId,
      ...(selections === undefined ? {} : { selections }),
    });
    return { job, policy: policy.name, schedule: schedule.name };
  }
}
