import { Worker } from 'node:worker_threads';

import type { BatchJob } from './file-batch.js';

/** Makes the files of batches, one after the other, on a thread of its own. */
export interface BesideThread {
  start(job: BatchJob): void;
}

/** It is started with the first batch, and ends with this thread. @param onDone a batch is done */
export function besideThread(onDone: () => void): BesideThread {
  let worker: Worker | undefined;
  return {
    start(job) {
      worker ??= startWorker(onDone);
      worker.postMessage(job);
    },
  };
}

function startWorker(onDone: () => void): Worker {
  // From the sources, for tests, or compiled.
  const extension = import.meta.url.endsWith('.ts') ? '.ts' : '.js';
  const worker = new Worker(new URL(`./beside.worker${extension}`, import.meta.url));
  worker.unref();
  worker.on('message', onDone);
  // What it had in hand is in no known state: this thread ends with it, loudly.
  worker.on('error', (error) => {
    throw error;
  });
  return worker;
}
