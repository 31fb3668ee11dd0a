import { Injectable, Logger } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { messageOf } from '#kernel/errors.js';
import { Repeating } from '#kernel/repeating.js';
import type { Startable } from '#service/lifecycle.js';
import { CatalogConfig } from '../config.js';
import { CatalogEpoch } from '../persistence/catalog-epoch.js';
import { Comparisons } from './comparisons.js';
import { MediaServers } from './media-servers.js';
import { Reconciler } from './reconciler.js';

/** What a comparison takes. */
@Injectable()
export class ReconcileParts {
  constructor(
    readonly media: MediaServers,
    readonly reconciler: Reconciler,
    readonly epoch: CatalogEpoch,
    readonly comparisons: Comparisons,
  ) {}
}

/**
 * Compares every media server with the catalog: when it comes up, when the epoch changed or the
 * database was started anew (it may have been put back), and now and then without an occasion.
 */
@Injectable()
export class ReconcileWatch implements Startable {
  private readonly logger = new Logger('reconcile');
  private readonly rounds: Repeating;
  /** When each server that is up was compared last, in milliseconds of a clock that only runs on. */
  private readonly comparedAt = new Map<string, number>();

  constructor(
    private readonly database: DataSource,
    private readonly parts: ReconcileParts,
    private readonly config: CatalogConfig,
  ) {
    this.rounds = new Repeating({
      everyMs: config.careEveryMs,
      work: (signal) => this.look(signal),
      onError: (error) => this.logger.warn(`not compared: ${messageOf(error)}; trying again`),
    });
  }

  start(): void {
    this.rounds.start();
  }

  stop(): Promise<void> {
    return this.rounds.stop();
  }

  private async look(signal: AbortSignal): Promise<void> {
    await this.parts.epoch.refresh();
    const up = await this.parts.media.up();
    for (const mediaId of this.comparedAt.keys()) {
      if (!up.includes(mediaId)) this.comparedAt.delete(mediaId);
    }
    for (const mediaId of up) {
      if (signal.aborted) return;
      await this.compareIfDue(mediaId);
    }
  }

  private async compareIfDue(mediaId: string): Promise<void> {
    const { comparisons, reconciler } = this.parts;
    const era = await comparisons.era(this.database);
    const at = this.comparedAt.get(mediaId);
    const isRecent = at !== undefined && performance.now() - at < this.config.reconcileEveryMs;
    if (isRecent && comparisons.missing([mediaId], era).length === 0) return;
    const { checked, findings } = await reconciler.server(mediaId);
    this.comparedAt.set(mediaId, performance.now());
    comparisons.mark(mediaId, era);
    if (findings > 0)
      this.logger.log(`${mediaId}: ${findings} differences in ${checked} fragments`);
  }
}
