import { Injectable } from '@nestjs/common';
import type { catalogPin, catalogUnpin } from '#contracts/catalog/copy.js';
import type { RequestOf, ResponseOf } from '#contracts/contract.js';
import { UnitOfWork } from '#outbox/unit-of-work.js';
import { requirePinned } from '../domain/chain.js';
import { Pins } from '../persistence/copies/pins.js';
import { ImageViews } from '../persistence/image-views.js';

/** Holds what running jobs read. A pin has no time limit: the end of its job ends it. */
@Injectable()
export class Pinning {
  constructor(private readonly unitOfWork: UnitOfWork) {}

  /**
   * Pins first and looks then: what was let go of meanwhile is missed. An image of which something is
   * being deleted that no other copy has is refused with status 229, and nothing is pinned.
   */
  pin({ job, imageIds }: RequestOf<typeof catalogPin>): Promise<ResponseOf<typeof catalogPin>> {
    return this.unitOfWork.run(async ({ db }) => {
      const fragments = await new Pins(db).pinImages(job, imageIds);
      const views = await new ImageViews(db).many(imageIds);
      for (const imageId of imageIds) requirePinned(imageId, views);
      return { fragments };
    });
  }

  unpin({ job }: RequestOf<typeof catalogUnpin>): Promise<ResponseOf<typeof catalogUnpin>> {
    return this.unitOfWork.run(async ({ db }) => ({ fragments: await new Pins(db).unpin(job) }));
  }
}
