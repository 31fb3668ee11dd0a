import { Injectable, Logger } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { backoffMs, sleep, type BackoffOptions } from '#kernel/backoff.js';
import { messageOf, PermanentError } from '#kernel/errors.js';
import type { Startable } from '#service/lifecycle.js';
import { CommitBatches } from '../commit-batches.js';
import { CatalogConfig } from '../config.js';
import { CorruptIndex } from '../domain/corrupt-index.js';
import { IndexLoads } from './index-loads.js';
import { IndexSource } from './index-source.js';
import { IndexQueue, type PendingIndex } from '../persistence/index-queue.js';

/** A commit wakes the loader at once; this finds what is due again, or what a crash left. */
const LOOK_AGAIN_MS = 2_000;
/** Another catalog holds the fragment: it needs a moment. */
const HELD_ELSEWHERE_MS = 500;
/** The media server is away. */
const RETRY: BackoffOptions = { firstMs: 250, maxMs: 60_000, jitter: 0.5 };
/** The index is damaged, or the media server refuses it: somebody has to mend that first. */
const RETRY_DAMAGED: BackoffOptions = { firstMs: 30_000, maxMs: 3_600_000, jitter: 0.2 };
const DATABASE_RETRY_MS = 1_000;

/** Loads the indexes of committed fragments, for ever and a few at a time. Gives up on none. */
@Injectable()
export class IndexLoader implements Startable {
  private readonly logger = new Logger('file index');
  private readonly stopping = new AbortController();
  private readonly atWork = new Map<string, Promise<void>>();
  private loop: Promise<void> = Promise.resolve();
  private wake: () => void = () => undefined;
  private woken = false;

  constructor(
    private readonly database: DataSource,
    private readonly loads: IndexLoads,
    private readonly source: IndexSource,
    private readonly config: CatalogConfig,
    commits: CommitBatches,
  ) {
    commits.whenCommitted(() => this.kick());
  }

  start(): void {
    this.loop = this.run();
  }

  /** Breaks off what runs: it rolls back, and is loaded after the next start. */
  async stop(): Promise<void> {
    this.stopping.abort();
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
      const started = await this.startDue();
      if (started === 0 && !this.woken) await this.nap();
    }
  }

  private async startDue(): Promise<number> {
    const free = this.config.indexLoadsMax - this.atWork.size;
    if (free === 0) return 0;
    try {
      const queue = new IndexQueue(this.database);
      const due = await queue.due(free, [...this.atWork.keys()]);
      for (const pending of due) this.begin(pending);
      return due.length;
    } catch (error) {
      this.logger.warn(`cannot look for work: ${messageOf(error)}; trying again`);
      await sleep(DATABASE_RETRY_MS, this.stopping.signal);
      return 0;
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
      const loaded = await this.loads.load(pending, this.source.read(pending, signal));
      if (!loaded) await sleep(HELD_ELSEWHERE_MS, signal);
    } catch (error) {
      if (!signal.aborted) await this.failed(pending, error);
    }
  }

  private async failed(pending: PendingIndex, error: unknown): Promise<void> {
    const needsMending = error instanceof CorruptIndex || error instanceof PermanentError;
    const options = needsMending ? RETRY_DAMAGED : RETRY;
    const retryMs = backoffMs(pending.failures + 1, options, 0.5);
    const what = `the index of fragment ${pending.number} of ${pending.imageId}`;
    const when = `again in ${(retryMs / 1_000).toFixed(1)} s`;
    this.logger.warn(`cannot load ${what}: ${messageOf(error)}; ${when}`);
    try {
      const queue = new IndexQueue(this.database);
      await queue.markFailed(pending.fragmentId, messageOf(error), retryMs);
    } catch (failure) {
      this.logger.warn(`cannot note that: ${messageOf(failure)}`);
      await sleep(DATABASE_RETRY_MS, this.stopping.signal);
    }
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
