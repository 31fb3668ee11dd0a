import { Injectable, Logger } from '@nestjs/common';
import { DataSource } from 'typeorm';
import type { catalogPin, catalogUnpin } from '#contracts/catalog/copy.js';
import type { RequestOf, ResponseOf } from '#contracts/contract.js';
import { jobsGet } from '#contracts/job.js';
import { Clock } from '#kernel/clock.js';
import { PermanentError, Unavailable } from '#kernel/errors.js';
import { Requests } from '#messaging/requests.js';
import { UnitOfWork } from '#outbox/unit-of-work.js';
import { CatalogConfig } from '../config.js';
import { requirePinned } from '../domain/chains/chain.js';
import { Pins } from '../persistence/copies/pins.js';
import { ImageViews } from '../persistence/image-views.js';

/** Holds what running jobs read. A pin has no time limit: the end of its job ends it. */
@Injectable()
export class Pinning {
  private readonly logger = new Logger('pins');

  constructor(
    private readonly unitOfWork: UnitOfWork,
    private readonly database: DataSource,
    private readonly requests: Requests,
    private readonly clock: Clock,
    private readonly config: CatalogConfig,
  ) {}

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

  /**
   * Ends pins of jobs that are done, as the job manager says: it ended them itself, but a catalog that
   * went back in time has them still. Where it says nothing, or does not know the job, they stay.
   */
  async sweep(signal: AbortSignal): Promise<void> {
    const since = new Date(this.clock.now().getTime() - this.config.expireEveryMs);
    for (const job of await new Pins(this.database).jobsSince(since)) {
      if (signal.aborted || !(await this.isDone(job))) continue;
      await this.unpin({ job });
      this.logger.warn(`job ${job} is done: what it pinned is free`);
    }
  }

  private async isDone(job: number): Promise<boolean> {
    try {
      const answer = await this.requests.call(jobsGet, { job, log: false });
      return answer.job.state === 'done';
    } catch (error) {
      if (error instanceof PermanentError || error instanceof Unavailable) return false;
      throw error;
    }
  }
}
