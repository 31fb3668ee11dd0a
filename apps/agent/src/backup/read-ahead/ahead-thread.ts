import { Worker } from 'node:worker_threads';

import type { ReadAhead } from './ahead-store.js';

let worker: Worker | undefined;

/** This thread's other thread. It is started with the first batch, and ends with this thread. */
export const AHEAD: ReadAhead = {
  start(job) {
    worker ??= start();
    worker.postMessage(job);
  },
  giveUp() {
    void worker?.terminate();
    worker = undefined;
  },
};

function start(): Worker {
  // From the sources, for tests, or compiled.
  const extension = import.meta.url.endsWith('.ts') ? '.ts' : '.js';
  const made = new Worker(new URL(`./ahead.worker${extension}`, import.meta.url));
  made.unref();
  // Whoever waits for a batch gives it up after a while, and reads by itself.
  made.on('error', () => {
    if (worker === made) worker = undefined;
  });
  return made;
}
