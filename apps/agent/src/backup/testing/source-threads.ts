import { Worker } from 'node:worker_threads';

import { WorkerPool } from '../worker-pool.js';

const HOOK = ['--import', new URL('./typescript-hook.mjs', import.meta.url).href];

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
export const SOURCE_READERS = new WorkerPool(
  new URL('../reader/reader.worker.ts', import.meta.url),
  HOOK,
);

/** Threads that make frames, from the sources. */
export const SOURCE_ENCODERS = new WatchedPool(
  new URL('../encoding/frame.worker.ts', import.meta.url),
  HOOK,
);
