import { Injectable } from '@nestjs/common';
import type { PolicySpec } from '#contracts/policy.js';
import { Clock } from '#kernel/clock.js';
import { UnitOfWork, type Work } from '#outbox/unit-of-work.js';
import { PolicyConfig } from './config.js';
import { agenda } from './domain/due/agenda.js';
import { holds } from './domain/due/hold.js';
import { planOf } from './domain/due/policy-plan.js';
import { AgendaRows } from './persistence/agenda-rows.js';
import { Histories } from './persistence/histories.js';
import { Policies, type StoredPolicy } from './persistence/policies.js';

/** Changes policies so that no change sets off a run by itself. */
@Injectable()
export class PolicyChanges {
  constructor(
    private readonly unitOfWork: UnitOfWork,
    private readonly clock: Clock,
    private readonly config: PolicyConfig,
  ) {}

  /** True when it is new. Where it must be and is not: throws `PermanentError` (226). */
  put(policy: PolicySpec, { mustBeNew }: { mustBeNew: boolean }): Promise<boolean> {
    return this.unitOfWork.run(async (work) => {
      const policies = new Policies(work.db);
      const before = await policies.lock(policy.name);
      const now = this.clock.now();
      if (mustBeNew) await policies.create(policy, now);
      else await policies.put(policy, now);
      if (before !== undefined) await this.hold(work, { before, after: policy, now });
      await new Histories(work.db).begin(policy, now);
      return before === undefined;
    });
  }

  private async hold(
    { db }: Work,
    { before, after, now }: { before: StoredPolicy; after: PolicySpec; now: Date },
  ): Promise<void> {
    const { name } = after;
    const histories = await new AgendaRows(db).histories({ policy: name });
    const history = (schedule: string, client: string) => histories(name, schedule, client);
    const [entriesBefore, entriesAfter] = [before.policy, after].map((policy) =>
      agenda(
        {
          ...{ plan: planOf(policy), knownSince: before.createdAt, history },
          ...{ suspendedSince: null, running: () => undefined },
        },
        { retry: this.config.retry, asked: now },
      ),
    );
    const known = entriesAfter!.filter(({ schedule, client }) => history(schedule.name, client));
    const held = holds(entriesBefore!, known, now);
    if (held.length > 0) await new Histories(db).hold(name, held);
  }
}
