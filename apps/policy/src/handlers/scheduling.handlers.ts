import { Controller } from '@nestjs/common';
import type { RequestOf, ResponseOf } from '#contracts/contract.js';
import { policyResumeScheduling, policySuspendScheduling } from '#contracts/policy.js';
import { Clock } from '#kernel/clock.js';
import { Answers } from '#messaging/answers.js';
import { UnitOfWork, type Work } from '#outbox/unit-of-work.js';
import { Policies } from '../persistence/policies.js';
import { Suspensions } from '../persistence/suspensions.js';

@Controller()
export class SchedulingHandlers {
  constructor(
    private readonly unitOfWork: UnitOfWork,
    private readonly clock: Clock,
  ) {}

  @Answers(policySuspendScheduling)
  suspend({
    policy,
  }: RequestOf<typeof policySuspendScheduling>): Promise<
    ResponseOf<typeof policySuspendScheduling>
  > {
    return this.change(policy, (suspensions) => suspensions.suspend(policy, this.clock.now()));
  }

  @Answers(policyResumeScheduling)
  resume({
    policy,
  }: RequestOf<typeof policyResumeScheduling>): Promise<ResponseOf<typeof policyResumeScheduling>> {
    return this.change(policy, (suspensions) => suspensions.resume(policy));
  }

  private change(policy: string | undefined, work: (suspensions: Suspensions) => Promise<void>) {
    return this.unitOfWork.run(async ({ db }: Work) => {
      if (policy !== undefined) await new Policies(db).get(policy);
      const suspensions = new Suspensions(db);
      await work(suspensions);
      return { suspensions: (await suspensions.all()).views };
    });
  }
}
