import { Injectable, Logger } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { messageOf } from '#kernel/errors.js';
import { Repeating } from '#kernel/repeating.js';
import { CatalogConfig } from '../config.js';
import { CatalogEpoch, eraOf } from '../persistence/catalog-epoch.js';
import { Comparisons } from './comparisons.js';
import { MediaServers } from './media-servers.js';
import { Reconciler } from './reconciler.js';

/** How soon a media server is compared again of which a volume is away, or something is in doubt. */
const AWAY_LOOK_MS = 300_000;

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
export class ReconcileWatch extends Repeating {
  private readonly logger = new Logger('reconcile');
  /** The last comparison of each server that is up. */
  private readonly last = new Map<string, LastComparison>();

  constructor(
    private readonly database: DataSource,
    private readonly parts: ReconcileParts,
    private readonly config: CatalogConfig,
  ) {
    super({
      everyMs: config.careEveryMs,
      work: (signal) => this.look(signal),
      onError: (error) => this.logger.warn(`not compared: ${messageOf(error)}; trying again`),
    });
  }

  private async look(signal: AbortSignal): Promise<void> {
    await this.parts.epoch.refresh();
    const up = await this.parts.media.up();
    for (const mediaId of this.last.keys()) {
      if (!up.includes(mediaId)) this.last.delete(mediaId);
    }
    for (const mediaId of up) {
      if (signal.aborted) return;
      try {
        await this.compareIfDue(mediaId);
      } catch (error) {
        // It comes again with the next round; what is behind it must not wait for it.
        this.logger.warn(`${mediaId} is not compared: ${messageOf(error)}; trying again`);
      }
    }
  }

  private async compareIfDue(mediaId: string): Promise<void> {
    const { comparisons, reconciler } = this.parts;
    const era = await eraOf(this.database);
    const last = this.last.get(mediaId);
    const isRecent = last !== undefined && performance.now() - last.at < this.restMs(last);
    if (isRecent && last.era === era) return;
    const { checked, findings, away, inDoubt } = await reconciler.server(mediaId);
    const isWhole = away.length === 0 && inDoubt === 0;
    this.last.set(mediaId, { at: performance.now(), era, isWhole });
    // What is on a volume that is away was not compared, or could not be checked: nothing is to rely on it.
    if (isWhole) comparisons.mark(mediaId, era);
    for (const volumeId of away) this.logger.warn(awayText(mediaId, volumeId));
    if (findings > 0)
      this.logger.log(`${mediaId}: ${findings} differences in ${checked} fragments`);
  }

  /** A volume that is away may be mounted at any time. */
  private restMs({ isWhole }: LastComparison): number {
    const { reconcileEveryMs } = this.config;
    return isWhole ? reconcileEveryMs : Math.min(AWAY_LOOK_MS, reconcileEveryMs);
  }
}

interface LastComparison {
  /** In milliseconds of a clock that only runs on. */
  readonly at: number;
  readonly era: string;
  readonly isWhole: boolean;
}

function awayText(mediaId: string, volumeId: string): string {
  return (
    `${mediaId}: its volume ${volumeId} is not there, or not all of it could be read (its log says what). ` +
    'What it does not show counts as lying on that one. Mount it and start the media server again or, if it is lost, give it up: ' +
    `holdfast catalog forget-volume ${mediaId} ${volumeId}`
  );
}
