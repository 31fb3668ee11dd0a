import { parentPort } from 'node:worker_threads';

import { readBatch, type BatchJob } from './ahead-batch.js';
import { readFile } from './read-file.js';

/** The thread that reads small files ahead of the one that stores them. */
parentPort!.on('message', (job: BatchJob) => readBatch(job, readFile));
