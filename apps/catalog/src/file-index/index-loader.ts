import { Injectable, Logger } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { backoffMs, sleep, type BackoffOptions } from '#kernel/backoff.js';
import { failureKind } from '#kernel/database-failure.js';
import { messageOf, Unavailable } from '#kernel/errors.js';
import { STATUS } from '#kernel/status.js';
import type { Startable } from '#service/lifecycle.js';
import { CommitBatches } from '../commit-batches.js';
import { CatalogConfig } from '../config.js';
import { IndexQueue, type PendingIndex } from '../persistence/index-queue.js';
import { AbsentMedia } from './absent-media.js';
import { IndexLoads } from './index-loads.js';
import { IndexSource } from './index-source.js';
import { loadsAtOnce } from './loads-at-once.js';

/** A commit wakes the loader at once; this finds what is due again, or what a crash left. */
const LOOK_AGAIN_MS = 2_000;
/**
 * After a look that found too little, so many times as long as it took: with many fragments that leave
 * their turn to a lower copy a look is long, and every commit asks for one.
 */
const REST_SHARE = 9;
/** Another catalog holds the fragment: it needs a moment. */
const HELD_ELSEWHERE_MS = 500;
/** The index is damaged, its volume away, or the media server refuses it: somebody has to mend that first. */
const RETRY_DAMAGED: BackoffOptions = { firstMs: 5_000, maxMs: 3_600_000, jitter: 0.2 };
/** Volumes that are away and were told of. */
const TOLD_MAX = 1_000;
const DATABASE_RETRY_MS = 1_000;
/** What the driver opens where nobody says how many. */
const CONNECTIONS_DEFAULT = 10;

/** Loads the indexes of committed fragments, for ever and a few at a time. Gives up on none. */
@Injectable()
export class IndexLoader implements Startable {
  private readonly logger = new Logger('file index');
  private readonly stopping = new AbortController();
  private readonly atWork = new Map<string, Promise<void>>();
  private readonly absent = new AbsentMedia(() => this.kick());
  /** Of which volumes it was said that they are away. */
  private readonly toldAway = new Set<string>();
  private loop: Promise<void> = Promise.resolve();
  private wake: () => void = () => undefined;
  private woken = false;
  private readonly loadsMax: number;

  constructor(
    private readonly database: DataSource,
    private readonly loads: IndexLoads,
    private readonly source: IndexSource,
    config: CatalogConfig,
    commits: CommitBatches,
  ) {
    const { poolSize = CONNECTIONS_DEFAULT } = database.options as { poolSize?: number };
    this.loadsMax = loadsAtOnce(config.indexLoadsMax, poolSize);
    commits.whenCommitted((mediaIds) => {
      if (!this.absent.haveAll(mediaIds)) this.kick();
    });
  }

  start(): void {
    this.loop = this.run();
  }

  /** Breaks off what runs: it rolls back, and is loaded after the next start. */
  async stop(): Promise<void> {
    this.stopping.abort();
    this.absent.forget();
    this.kick();
    await this.loop;
    await Promise.all(this.atWork.values());
  }

  /** There may be something to load. */
  kick(): void {
    this.woken = true;
    this.wake();
  }

  private async run(): Promise<void> {
    while (!this.stopping.signal.aborted) {
      this.woken = false;
      const begun = performance.now();
      const foundEnough = await this.startDue();
      const lookMs = performance.now() - begun;
      if (!foundEnough) {
        await sleep(Math.min(lookMs * REST_SHARE, LOOK_AGAIN_MS), this.stopping.signal);
      }
      if (!this.woken) await this.nap();
    }
  }

  /** False if there was less to load than could have been begun. */
  private async startDue(): Promise<boolean> {
    const free = this.loadsMax - this.atWork.size;
    if (free === 0) return true;
    try {
      const queue = new IndexQueue(this.database);
      const except = { fragments: [...this.atWork.keys()], media: this.absent.names };
      const due = await queue.due(free, except);
      for (const pending of due) this.begin(pending);
      return due.length === free;
    } catch (error) {
      await this.databaseFailed(error);
      return true;
    }
  }

  private begin(pending: PendingIndex): void {
    const work = this.loadOne(pending).finally(() => {
      this.atWork.delete(pending.fragmentId);
      this.kick();
    });
    this.atWork.set(pending.fragmentId, work);
  }

  private async loadOne(pending: PendingIndex): Promise<void> {
    const { signal } = this.stopping;
    try {
      if (pending.isKnown) return await this.loads.adopt(pending);
      const stored = await this.source.open(pending, signal);
      try {
        const loaded = await this.loads.load(pending, stored.bytes);
        this.absent.isBack(pending.mediaId);
        if (!loaded) await sleep(HELD_ELSEWHERE_MS, signal);
      } finally {
        stored.close();
      }
    } catch (error) {
      if (!signal.aborted) await this.failed(pending, error);
    }
  }

  private async failed(pending: PendingIndex, error: unknown): Promise<void> {
    if (!isVolumeAway(error)) {
      if (error instanceof Unavailable) return this.mediaFailed(pending.mediaId, error);
      if (failureKind(error) === 'outage') return this.databaseFailed(error);
    }
    const retryMs = backoffMs(pending.failures + 1, RETRY_DAMAGED, 0.5);
    const what = `the index of fragment ${pending.number} of ${pending.imageId}`;
    if (isVolumeAway(error)) this.tellAway(`${pending.mediaId}: ${messageOf(error)}`);
    else
      this.logger.error(`cannot load ${what}: ${messageOf(error)}; again in ${seconds(retryMs)}`);
    try {
      const queue = new IndexQueue(this.database);
      await queue.markFailed(pending.fragmentId, messageOf(error), retryMs);
    } catch (failure) {
      await this.databaseFailed(failure);
    }
  }

  /** Once: thousands of indexes may lie there. */
  private tellAway(what: string): void {
    if (this.toldAway.has(what)) return;
    if (this.toldAway.size >= TOLD_MAX) this.toldAway.clear();
    this.toldAway.add(what);
    this.logger.warn(`media server ${what}; what lies there is loaded when it is back`);
  }

  private mediaFailed(media: string, error: Unavailable): void {
    const waitMs = this.absent.leaveAlone(media);
    if (waitMs === undefined) return;
    this.logger.warn(`media server ${media}: ${messageOf(error)}; again in ${seconds(waitMs)}`);
  }

  private async databaseFailed(error: unknown): Promise<void> {
    this.logger.warn(`database: ${messageOf(error)}; trying again`);
    await sleep(DATABASE_RETRY_MS, this.stopping.signal);
  }

  private nap(): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, LOOK_AGAIN_MS);
      this.wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}

/** Such as a cartridge that is not in the library: its media server is there all the same, for what lies on others. */
function isVolumeAway(error: unknown): boolean {
  return error instanceof Unavailable && error.status === STATUS.mediaOpenError;
}

function seconds(ms: number): string {
  return `${(ms / 1_000).toFixed(1)} s`;
}
