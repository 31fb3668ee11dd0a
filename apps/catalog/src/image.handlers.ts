import { Controller } from '@nestjs/common';
import type { RequestOf, ResponseOf } from '#contracts/contract.js';
import { imageAbandon, imageBegin, imageFinish } from '#contracts/image.js';
import { Answers } from '#messaging/answers.js';
import { ImageChanges } from './image-changes.js';

/** What the job manager tells of images. */
@Controller()
export class ImageHandlers {
  constructor(private readonly changes: ImageChanges) {}

  @Answers(imageBegin)
  begin(request: RequestOf<typeof imageBegin>): Promise<ResponseOf<typeof imageBegin>> {
    return this.changes.begin(request);
  }

  @Answers(imageFinish)
  finish(request: RequestOf<typeof imageFinish>): Promise<ResponseOf<typeof imageFinish>> {
    return this.changes.finish(request);
  }

  @Answers(imageAbandon)
  abandon(request: RequestOf<typeof imageAbandon>): Promise<ResponseOf<typeof imageAbandon>> {
    return this.changes.abandon(request);
  }
}
