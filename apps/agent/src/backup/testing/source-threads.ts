import { Worker } from 'node:worker_threads';

import { RUN_TYPESCRIPT } from '../../../../../test/support/from-sources.js';
import { WorkerPool } from '../worker-pool.js';

/** Remembers whom it gave away. */
class WatchedPool extends WorkerPool {
  readonly taken: Worker[] = [];

  override take(): Worker {
    const worker = super.take();
    this.taken.push(worker);
    return worker;
  }
}

/** Reading threads from the sources, for tests that run without a build. */
export const SOURCE_READERS = new WatchedPool(
  new URL('../reader/reader.worker.ts', import.meta.url),
  RUN_TYPESCRIPT,
);

/** Threads that make frames, from the sources. */
export const SOURCE_ENCODERS = new WatchedPool(
  new URL('../encoding/frame.worker.ts', import.meta.url),
  RUN_TYPESCRIPT,
);
