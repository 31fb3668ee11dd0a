import { Controller } from '@nestjs/common';
import { fragmentSuspect } from '#contracts/catalog/copy.js';
import { deleteClaim, deleteReport } from '#contracts/catalog/expiry.js';
import type { RequestOf, ResponseOf } from '#contracts/contract.js';
import { Answers } from '#messaging/answers.js';
import { FragmentChecks } from './fragment-checks.js';
import { Removals } from './removals.js';

/** What media servers and readers tell of the bytes of fragments. */
@Controller()
export class DeletionHandlers {
  constructor(
    private readonly removals: Removals,
    private readonly checks: FragmentChecks,
  ) {}

  @Answers(deleteClaim)
  claim(request: RequestOf<typeof deleteClaim>): Promise<ResponseOf<typeof deleteClaim>> {
    return this.removals.claim(request);
  }

  @Answers(deleteReport)
  report(request: RequestOf<typeof deleteReport>): Promise<ResponseOf<typeof deleteReport>> {
    return this.removals.report(request);
  }

  @Answers(fragmentSuspect)
  suspect(request: RequestOf<typeof fragmentSuspect>): Promise<ResponseOf<typeof fragmentSuspect>> {
    return this.checks.suspect(request);
  }
}
