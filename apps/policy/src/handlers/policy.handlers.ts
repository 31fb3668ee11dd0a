import { Controller } from '@nestjs/common';
import { DataSource } from 'typeorm';
import type { RequestOf, ResponseOf } from '#contracts/contract.js';
import { ON_DEMAND_POLICY } from '#contracts/job.js';
import { policyDelete, policyGet, policyList, policyPut } from '#contracts/policy.js';
import { Clock } from '#kernel/clock.js';
import { InvalidInput } from '#kernel/errors.js';
import { Answers } from '#messaging/answers.js';
import { UnitOfWork } from '#outbox/unit-of-work.js';
import { Histories } from './persistence/histories.js';
import { Policies } from './persistence/policies.js';

@Controller()
export class PolicyHandlers {
  constructor(
    private readonly database: DataSource,
    private readonly unitOfWork: UnitOfWork,
    private readonly clock: Clock,
  ) {}

  @Answers(policyPut)
  put({ policy, create }: RequestOf<typeof policyPut>): Promise<ResponseOf<typeof policyPut>> {
    if (policy.name === ON_DEMAND_POLICY) {
      throw new InvalidInput(
        `policy.name: "${ON_DEMAND_POLICY}" is what backups without a policy are filed under. Choose another name.`,
        'policy.name',
      );
    }
    return this.unitOfWork.run(async ({ db }) => {
      const now = this.clock.now();
      const policies = new Policies(db);
      if (create) await policies.create(policy, now);
      const created = create || (await policies.put(policy, now));
      await new Histories(db).begin(policy, now);
      return { policy, created };
    });
  }

  @Answers(policyGet)
  async get({ name }: RequestOf<typeof policyGet>): Promise<ResponseOf<typeof policyGet>> {
    return { policy: await new Policies(this.database.manager).get(name) };
  }

  @Answers(policyList)
  async list(_request: RequestOf<typeof policyList>): Promise<ResponseOf<typeof policyList>> {
    const all = await new Policies(this.database.manager).all();
    return { policies: all.map(({ policy }) => policy) };
  }

  @Answers(policyDelete)
  delete({ name }: RequestOf<typeof policyDelete>): Promise<ResponseOf<typeof policyDelete>> {
    return this.unitOfWork.run(async ({ db }) => {
      await new Policies(db).delete(name);
      return {};
    });
  }
}
