import { setTimeout as delay } from 'node:timers/promises';
import type { Worker } from 'node:worker_threads';

import { PermanentError } from '#kernel/errors.js';

import { DamagedListing } from '../domain/listing-merge.js';
import type { Note } from '../domain/notes.js';

import type { ReaderFailure, ReaderJob, ReaderMessage } from './reader-messages.js';
import { WorkerPool } from './worker-pool.js';

/** How long a thread that was asked to end may take before it is ended by force. */
const STOP_MS = 2_000;
/**
 * A thread that has had more to do (`ReaderTotals.work`) is not kept for the next backup: some megabytes of garbage, and
 * from about so many files on a thread of its own beside it (`FILES_BEFORE` in `ahead-store.ts`).
 */
const KEPT_WORK_MAX = 2_000;

/** The threads of this process, from the compiled code. */
const READERS = new WorkerPool(new URL('./reader/reader.worker.js', import.meta.url));

export type ReaderItem = Extract<ReaderMessage, { type: 'frame' | 'fragment' | 'index' | 'end' }>;

export interface ReaderEvents {
  onNote(note: Note): void;
  onProgress(progress: { files: number; bytes: number; path: string }): void;
  /** Called as soon as a buffer is full, before its turn: work on it may begin. */
  onFrame(frame: Extract<ReaderMessage, { type: 'frame' }>): void;
  /** Called behind the last frame of a fragment that was cut into chunks, as early. */
  onFragment(): void;
}

/** The other end of the reading thread: what it says, in order. */
export class ReaderThread {
  /** How often the next item was not there yet. */
  waits = 0;

  readonly #worker: Worker;
  /** Resolves when the thread has said its last word about this job, or has ended. */
  readonly #over: Promise<'through' | 'gone'>;
  #settle: (how: 'through' | 'gone') => void = () => undefined;
  readonly #items: ReaderItem[] = [];
  #isSmall = false;
  #failure: Error | undefined;
  #wake: (() => void) | undefined;

  constructor(
    job: ReaderJob,
    private readonly events: ReaderEvents,
    private readonly pool: WorkerPool = READERS,
  ) {
    this.#over = new Promise((resolve) => (this.#settle = resolve));
    this.#worker = pool.take();
    this.#worker.on('message', (message: ReaderMessage) => this.#take(message));
    this.#worker.on('error', (error: Error) => this.fail(error));
    this.#worker.on('exit', (code) => {
      this.fail(new Error(`The thread that reads the client ended early (code ${code})`));
      this.#settle('gone');
    });
    this.#worker.postMessage(job);
  }

  /** The next item in order. Rejects with the thread's failure, or with what `fail` was given. */
  async next(): Promise<ReaderItem> {
    for (let waited = false; ; waited = true) {
      if (this.#failure) throw this.#failure;
      const item = this.#items.shift();
      if (item) return item;
      if (!waited) this.waits++;
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }

  /** Makes every `next` reject from now on. The first reason stands. */
  fail(reason: Error): void {
    this.#failure ??= reason;
    this.#wake?.();
  }

  /**
   * Lets go of the thread when it is through, after two seconds at the latest: one that hangs in a system call (a
   * file system that does not answer) ends when that call does. The ring must have been stopped before.
   */
  async end(): Promise<void> {
    const cancel = new AbortController();
    const late = delay(STOP_MS, 'late', { signal: cancel.signal }).catch(() => undefined);
    const how = await Promise.race([this.#over, late]);
    cancel.abort();
    if (how === 'gone') return;
    if (how === 'through' && this.#isSmall) this.pool.giveBack(this.#worker);
    else this.pool.dismiss(this.#worker);
  }

  #take(message: ReaderMessage): void {
    switch (message.type) {
      case 'note':
        return this.events.onNote(message.note);
      case 'progress':
        return this.events.onProgress(message);
      case 'failed':
        this.#settle('through');
        return this.fail(errorOf(message.reason));
      case 'frame':
        this.events.onFrame(message);
        break;
      case 'end':
        this.#isSmall = message.totals.work <= KEPT_WORK_MAX;
        this.#settle('through');
        break;
      case 'fragment':
        this.events.onFragment();
        break;
      case 'index':
        break;
      default:
        return message satisfies never;
    }
    this.#items.push(message);
    this.#wake?.();
  }
}

function errorOf(reason: ReaderFailure): Error {
  switch (reason.kind) {
    case 'permanent':
      return new PermanentError(reason.status, reason.message, reason.field);
    case 'damaged-listing':
      return new DamagedListing(reason.message);
    case 'stopped':
    case 'other': {
      const error = new Error(reason.message);
      if (reason.stack !== undefined) error.stack = reason.stack;
      return error;
    }
    default:
      return reason.kind satisfies never;
  }
}
