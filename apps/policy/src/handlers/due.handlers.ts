import { Controller } from '@nestjs/common';
import { DataSource } from 'typeorm';
import type { RequestOf, ResponseOf } from '#contracts/contract.js';
import { policyDue } from '#contracts/policy.js';
import { Clock } from '#kernel/clock.js';
import { Answers } from '#messaging/answers.js';
import { Agendas } from '../agendas.js';
import { duePage } from '../domain/due/due-page.js';
import { Policies } from '../persistence/policies.js';
import { Suspensions } from '../persistence/suspensions.js';

@Controller()
export class DueHandlers {
  constructor(
    private readonly database: DataSource,
    private readonly agendas: Agendas,
    private readonly clock: Clock,
  ) {}

  /** A time that has passed is asked as if it were then; of the future only the windows are known. */
  @Answers(policyDue)
  async due({
    policy,
    client,
    ...page
  }: RequestOf<typeof policyDue>): Promise<ResponseOf<typeof policyDue>> {
    const db = this.database.manager;
    if (policy !== undefined) await new Policies(db).get(policy);
    const now = this.clock.now();
    const by = page.at === undefined ? undefined : new Date(page.at);
    const asked = by !== undefined && by < now ? by : now;
    const entries = await this.agendas.read({ policy, client, asked, now });
    const suspensions = (await new Suspensions(db).all()).views;
    return { ...duePage(entries, { ...page, by, asked }), suspensions };
  }
}
