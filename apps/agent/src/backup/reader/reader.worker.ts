import { parentPort } from 'node:worker_threads';

import { SystemClock } from '#kernel/clock.js';
import { PermanentError, messageOf } from '#kernel/errors.js';
import { STATUS } from '#kernel/status.js';

import { DamagedListing } from '../../domain/listing-merge.js';

import { ReaderStopped } from '../buffer-ring.js';
import { readClient } from './client-reader.js';
import type { ReaderFailure, ReaderJob, ReaderMessage } from '../reader-messages.js';

/** Reads the client for one backup, and says at last how that ended. Then the next may come. */
function read(job: ReaderJob): void {
  const post = (message: ReaderMessage) => parentPort!.postMessage(message);
  try {
    post({ type: 'end', totals: readClient(job, new SystemClock(), post) });
  } catch (error) {
    post({ type: 'failed', reason: failureOf(error) });
  }
}

/** Errors lose their class on the way to another thread. */
function failureOf(error: unknown): ReaderFailure {
  const permanent = error instanceof PermanentError ? error : undefined;
  return {
    kind: permanent
      ? 'permanent'
      : error instanceof DamagedListing
        ? 'damaged-listing'
        : error instanceof ReaderStopped
          ? 'stopped'
          : 'other',
    message: messageOf(error),
    status: permanent?.status ?? STATUS.ok,
    field: permanent?.field,
    stack: error instanceof Error ? error.stack : undefined,
  };
}

parentPort!.on('message', read);
