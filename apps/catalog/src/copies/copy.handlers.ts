import { Controller } from '@nestjs/common';
import { catalogPin, catalogUnpin, copyBegin, copyFinish } from '#contracts/catalog/copy.js';
import type { RequestOf, ResponseOf } from '#contracts/contract.js';
import { Answers } from '#messaging/answers.js';
import { CopyChanges } from './copy-changes.js';
import { Pinning } from './pinning.js';

/** What the job manager tells of copies and of what its jobs read. */
@Controller()
export class CopyHandlers {
  constructor(
    private readonly changes: CopyChanges,
    private readonly pinning: Pinning,
  ) {}

  @Answers(copyBegin)
  begin(request: RequestOf<typeof copyBegin>): Promise<ResponseOf<typeof copyBegin>> {
    return this.changes.begin(request);
  }

  @Answers(copyFinish)
  finish(request: RequestOf<typeof copyFinish>): Promise<ResponseOf<typeof copyFinish>> {
    return this.changes.finish(request);
  }

  @Answers(catalogPin)
  pin(request: RequestOf<typeof catalogPin>): Promise<ResponseOf<typeof catalogPin>> {
    return this.pinning.pin(request);
  }

  @Answers(catalogUnpin)
  unpin(request: RequestOf<typeof catalogUnpin>): Promise<ResponseOf<typeof catalogUnpin>> {
    return this.pinning.unpin(request);
  }
}
