import { Injectable, Logger } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { messageOf } from '#kernel/errors.js';
import { Repeating } from '#kernel/repeating.js';
import { UnitOfWork } from '#outbox/unit-of-work.js';
import { CatalogConfig } from '../config.js';
import { FileSweeps } from '../persistence/files/file-sweeps.js';
import { removeTrees } from '../persistence/files/file-trees.js';
import { Images } from '../persistence/images.js';

/** Each look for them goes through all images with trees. */
const PAGE_IMAGES = 10_000;

/** Forgets what files there were in images that are gone. */
@Injectable()
export class FileSweeper extends Repeating {
  private readonly logger = new Logger('file index');

  constructor(
    private readonly unitOfWork: UnitOfWork,
    private readonly database: DataSource,
    config: CatalogConfig,
  ) {
    super({
      everyMs: config.expireEveryMs,
      work: (signal) => this.round(signal),
      onError: (error) => this.logger.warn(messageOf(error)),
    });
  }

  /** Every image that is gone, then the blocks that this and other changes have left, until `signal` says stop. */
  async round(signal: AbortSignal): Promise<void> {
    const sweeps = new FileSweeps(this.database);
    for (let page = PAGE_IMAGES; page === PAGE_IMAGES;) {
      const images = await sweeps.goneImages(PAGE_IMAGES);
      page = images.length;
      for (const imageId of images) {
        if (signal.aborted) return;
        await this.forget(imageId);
      }
    }
    for (const client of await sweeps.clients()) {
      if (signal.aborted) return;
      await this.unitOfWork.run(({ db }) => new FileSweeps(db).sweep(client));
    }
  }

  private forget(imageId: string): Promise<void> {
    return this.unitOfWork.run(async ({ db }) => {
      await new Images(db).hold(imageId);
      const sweeps = new FileSweeps(db);
      if (!(await sweeps.isGone(imageId))) return;
      await sweeps.markUnloaded(imageId);
      await removeTrees(db, [imageId]);
    });
  }
}
