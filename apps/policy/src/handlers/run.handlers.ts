import { Controller } from '@nestjs/common';
import { DataSource } from 'typeorm';
import type { RequestOf, ResponseOf } from '#contracts/contract.js';
import { policyDue, policyRun } from '#contracts/policy.js';
import { PermanentError } from '#kernel/errors.js';
import { Answers } from '#messaging/answers.js';
import { Agendas } from './agendas.js';
import type { Entry } from './domain/agenda.js';
import { planRun } from './domain/run.js';
import { parallel } from './parallel.js';
import { Policies } from './persistence/policies.js';
import { Submitter } from './submitter.js';

const SUBMISSIONS_AT_ONCE = 8;

@Controller()
export class ScheduleHandlers {
  constructor(
    private readonly database: DataSource,
    private readonly agendas: Agendas,
    private readonly submitter: Submitter,
  ) {}

  /** Whoever is refused stands in the answer; where that is everybody, the first refusal is it. */
  @Answers(policyRun)
  async run(request: RequestOf<typeof policyRun>): Promise<ResponseOf<typeof policyRun>> {
    const policy = await new Policies(this.database.manager).get(request.name);
    const { schedule, clients } = planRun(policy, request);
    const jobs: { job: number; client: string }[] = [];
    const refusals: { client: string; error: PermanentError }[] = [];
    await parallel(clients, SUBMISSIONS_AT_ONCE, async (client) => {
      try {
        jobs.push({ client, job: await this.submitter.submit({ policy, schedule, client }) });
      } catch (error) {
        if (!(error instanceof PermanentError)) throw error;
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

  @Answers(policyDue)
  async due({
    policy,
    client,
    limit,
  }: RequestOf<typeof policyDue>): Promise<ResponseOf<typeof policyDue>> {
    if (policy !== undefined) await new Policies(this.database.manager).get(policy);
    const all = (await this.agendas.read(policy)).filter(
      (entry) => client === undefined || entry.client === client,
    );
    return { due: all.sort(bySoonest).slice(0, limit).map(toDueEntry), total: all.length };
  }
}

function bySoonest(a: Entry, b: Entry): number {
  return (a.dueAt?.getTime() ?? Infinity) - (b.dueAt?.getTime() ?? Infinity) || 0;
}

function toDueEntry({ policy, schedule, client, dueAt, reason, running }: Entry) {
  return {
    policy: policy.name,
    schedule: schedule.name,
    client,
    dueAt: dueAt?.toISOString() ?? null,
    reason: running === undefined ? reason : `${reason}; job ${running} runs now`,
  };
}
