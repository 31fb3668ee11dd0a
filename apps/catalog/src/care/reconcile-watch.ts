import { Injectable, Logger } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { messageOf } from '#kernel/errors.js';
import { Repeating } from '#kernel/repeating.js';
import type { Startable } from '#service/lifecycle.js';
import { CatalogConfig } from '../config.js';
import { CatalogEpoch } from '../persistence/catalog-epoch.js';
import { MediaServers } from './media-servers.js';
import { Reconciler } from './reconciler.js';

/**
 * Compares every media server with the catalog: after the start, when the epoch changed or the
 * database was started anew (it may have been put back), when a server comes back, and now and then
 * without an occasion. Of several catalogs, one does it.
 */
@Injectable()
export class ReconcileWatch implements Startable {
  private readonly logger = new Logger('reconcile');
  private readonly rounds: Repeating;
  /** When each server was compared last, in milliseconds of a clock that only runs on. */
  private readonly comparedAt = new Map<string, number>();
  private databaseStart = '';

  constructor(
    private readonly database: DataSource,
    private readonly media: MediaServers,
    private readonly reconciler: Reconciler,
    private readonly epoch: CatalogEpoch,
    private readonly config: CatalogConfig,
  ) {
    epoch.whenChanged(() => this.comparedAt.clear());
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
    await this.noticeNewDatabase();
    await this.epoch.refresh();
    const up = await this.media.up();
    for (const mediaId of this.comparedAt.keys()) {
      if (!up.includes(mediaId)) this.comparedAt.delete(mediaId);
    }
    for (const mediaId of up) {
      if (signal.aborted) return;
      if (this.isDue(mediaId)) await this.compare(mediaId);
    }
  }

  private isDue(mediaId: string): boolean {
    const at = this.comparedAt.get(mediaId);
    return at === undefined || performance.now() - at >= this.config.reconcileEveryMs;
  }

  private async compare(mediaId: string): Promise<void> {
    const { checked, findings } = await this.reconciler.server(mediaId);
    this.comparedAt.set(mediaId, performance.now());
    if (findings > 0)
      this.logger.log(`${mediaId}: ${findings} differences in ${checked} fragments`);
  }

  private async noticeNewDatabase(): Promise<void> {
    const [row] = await this.database.query<{ start: string }[]>(
      'SELECT pg_postmaster_start_time()::text AS start',
    );
    if (row!.start !== this.databaseStart) this.comparedAt.clear();
    this.databaseStart = row!.start;
  }
}
