import { Controller } from '@nestjs/common';
import type { RequestOf, ResponseOf } from '#contracts/contract.js';
import { imageAbandon, imageBegin, imageFinish } from '#contracts/image.js';
import { Answers } from '#messaging/answers.js';
import { Completions } from './file-index/completions.js';
import { ImageChanges } from './image-changes.js';

/** Far below what a request may take. */
const INDEX_WAIT_MS = 200;

/** What the job manager tells of images. */
@Controller()
export class ImageHandlers {
  constructor(
    private readonly changes: ImageChanges,
    private readonly completions: Completions,
  ) {}

  @Answers(imageBegin)
  begin(request: RequestOf<typeof imageBegin>): Promise<ResponseOf<typeof imageBegin>> {
    return this.changes.begin(request);
  }

  /** An index of a few files is loaded within moments: then one answer is enough. */
  @Answers(imageFinish)
  async finish(request: RequestOf<typeof imageFinish>): Promise<ResponseOf<typeof imageFinish>> {
    const completion = this.completions.within(request.imageId, INDEX_WAIT_MS);
    const answer = await this.changes.finish(request);
    if (answer.complete || answer.uncommitted > 0) return answer;
    return (await completion) ? { complete: true, waitsFor: '', uncommitted: 0 } : answer;
  }

  @Answers(imageAbandon)
  abandon(request: RequestOf<typeof imageAbandon>): Promise<ResponseOf<typeof imageAbandon>> {
    return this.changes.abandon(request);
  }
}
