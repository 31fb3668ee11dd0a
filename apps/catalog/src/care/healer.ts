import { Injectable, Logger } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { jobsDuplicate, jobsGet } from '#contracts/job.js';
import { Clock } from '#kernel/clock.js';
import { messageOf, PermanentError } from '#kernel/errors.js';
import { uuidOf } from '#kernel/ids.js';
import { Repeating } from '#kernel/repeating.js';
import { Requests } from '#messaging/requests.js';
import { CatalogConfig } from '../config.js';
import { AskedRepairs } from '../domain/asked-repairs.js';
import {
  mendableCopies,
  type DamagedCopy,
  type DamagedCursor,
} from '../persistence/care/damaged-copies.js';

/** A repair that failed is tried again in the next of these spans, one that waits is not asked for again. */
const AGAIN_MS = 6 * 3_600_000;

/** Copies that one look takes on. */
const COPIES_MAX = 20;

/**
 * Has damaged copies mended from good ones by duplication. A repair's request id follows from what it
 * mends, so asking again, from here or from another catalog, makes no second job.
 */
@Injectable()
export class Healer extends Repeating {
  private readonly logger = new Logger('healer');
  /** The next look goes on behind it; undefined: from the beginning. */
  private after: DamagedCursor | undefined;
  private readonly asked = new AskedRepairs();

  constructor(
    private readonly database: DataSource,
    private readonly requests: Requests,
    private readonly clock: Clock,
    config: CatalogConfig,
  ) {
    super({
      everyMs: config.careEveryMs,
      work: () => this.look(),
      onError: (error) => this.logger.warn(`cannot look for damage: ${messageOf(error)}`),
    });
  }

  private async look(): Promise<void> {
    const page = await mendableCopies(this.database, { after: this.after, limit: COPIES_MAX });
    // Whatever comes of these: what cannot be mended must not keep others from it.
    this.after = page.length === COPIES_MAX ? page.at(-1) : undefined;
    for (const damaged of page) {
      try {
        await this.mend(damaged);
      } catch (error) {
        if (!(error instanceof PermanentError)) throw error;
        this.logger.warn(`copy ${damaged.copy} of ${damaged.imageId}: ${error.message}`);
      }
    }
    if (this.after === undefined) this.asked.endPass();
  }

  private async mend({ imageId, copy, pool, fragmentIds }: DamagedCopy): Promise<void> {
    const span = Math.floor(this.clock.now().getTime() / AGAIN_MS);
    const requestId = uuidOf(`mend ${imageId} ${copy} ${fragmentIds.join()} ${span}`);
    const request = { imageId, copy, toPool: pool, requestId };
    await this.asked.ask(`${imageId} ${copy}`, requestId, {
      submit: async () => (await this.requests.call(jobsDuplicate, request)).job,
      isOpen: (job) => this.isOpen(job),
    });
  }

  private async isOpen(job: number): Promise<boolean> {
    try {
      const found = await this.requests.call(jobsGet, { job, log: false });
      return found.job.state !== 'done';
    } catch (error) {
      if (!(error instanceof PermanentError)) throw error;
      return false; // Nobody knows it any more.
    }
  }
}
