import { Controller } from '@nestjs/common';
import { DataSource } from 'typeorm';
import type { RequestOf, ResponseOf } from '#contracts/contract.js';
import { ON_DEMAND_POLICY } from '#contracts/job.js';
import {
  policyCheck,
  policyDelete,
  policyGet,
  policyList,
  policyPut,
  type PolicySpec,
} from '#contracts/policy.js';
import { InvalidInput } from '#kernel/errors.js';
import { Answers } from '#messaging/answers.js';
import { UnitOfWork } from '#outbox/unit-of-work.js';
import { ClusterCheck } from '../cluster-check.js';
import { refuseTooLarge } from '../domain/policy-size.js';
import { Policies } from '../persistence/policies.js';
import { Suspensions } from '../persistence/suspensions.js';
import { PolicyChanges } from '../policy-changes.js';

@Controller()
export class PolicyHandlers {
  constructor(
    private readonly database: DataSource,
    private readonly unitOfWork: UnitOfWork,
    private readonly changes: PolicyChanges,
    private readonly cluster: ClusterCheck,
  ) {}

  @Answers(policyPut)
  async put({
    policy,
    create,
    check,
  }: RequestOf<typeof policyPut>): Promise<ResponseOf<typeof policyPut>> {
    refuseWhatCannotWork(policy);
    const warnings = check ? await this.cluster.warnings(policy) : [];
    const created = await this.changes.put(policy, { mustBeNew: create });
    return { policy, created, warnings };
  }

  @Answers(policyCheck)
  async check({ policy }: RequestOf<typeof policyCheck>): Promise<ResponseOf<typeof policyCheck>> {
    refuseWhatCannotWork(policy);
    const found = await new Policies(this.database.manager).find(policy.name);
    const warnings = await this.cluster.warnings(policy);
    return { policy, exists: found !== undefined, warnings };
  }

  @Answers(policyGet)
  async get({ name }: RequestOf<typeof policyGet>): Promise<ResponseOf<typeof policyGet>> {
    return { policy: await new Policies(this.database.manager).get(name) };
  }

  @Answers(policyList)
  async list(request: RequestOf<typeof policyList>): Promise<ResponseOf<typeof policyList>> {
    const db = this.database.manager;
    const suspensions = await new Suspensions(db).all();
    return { ...(await new Policies(db).page(request)), suspensions: suspensions.views };
  }

  @Answers(policyDelete)
  delete({ name }: RequestOf<typeof policyDelete>): Promise<ResponseOf<typeof policyDelete>> {
    return this.unitOfWork.run(async ({ db }) => {
      await new Policies(db).delete(name);
      return {};
    });
  }
}

function refuseWhatCannotWork(policy: PolicySpec): void {
  if (policy.name !== ON_DEMAND_POLICY) return refuseTooLarge(policy);
  throw new InvalidInput(
    `policy.name: "${policy.name}" is what backups without a policy are filed under. Choose another name.`,
    'policy.name',
  );
}
