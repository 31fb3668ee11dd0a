import { parentPort } from 'node:worker_threads';

import { makeBatch, type BatchJob } from './file-batch.js';
import { makeFile } from './make-file.js';

/** The thread that makes small files beside the one that restores. */
parentPort!.on('message', (job: BatchJob) => {
  makeBatch(job, makeFile);
  // In case that it waits.
  parentPort!.postMessage('done');
});
