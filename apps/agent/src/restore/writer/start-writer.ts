import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';

import { openWriter } from './open-writer.js';
import type { RestoreWriter } from './restore-writer.js';
import type { FromWriter, ToWriter, WriterOptions } from './writer-messages.js';

/** A writer, wherever it runs. */
export interface WriterPort {
  /** Buffers in a frame change hands: the sender must not use them again. */
  send(message: ToWriter): void;
  /** Ends it at once, in the middle of whatever it does. */
  kill(): Promise<void>;
}

export interface WriterListener {
  onMessage(message: FromWriter): void;
  /** It could not start, or died. Nothing more will come. */
  onFailure(error: unknown): void;
}

/** What the writer's thread is started from. Tests start it from the source, through a loader. */
export interface WriterThread {
  readonly url: URL;
  readonly execArgv: readonly string[];
}

const COMPILED: WriterThread = {
  url: new URL('./writer.worker.js', import.meta.url),
  execArgv: [],
};

/**
 * Starts the writer in a thread of its own. Run from sources that are not compiled (a thread cannot load them), it
 * works in the caller's thread: the same writer, at half the speed.
 */
export function startWriter(
  options: WriterOptions,
  listener: WriterListener,
  thread = COMPILED,
): WriterPort {
  return existsSync(fileURLToPath(thread.url))
    ? startThread(thread, options, listener)
    : startHere(options, listener);
}

function startThread(
  { url, execArgv }: WriterThread,
  workerData: WriterOptions,
  listener: WriterListener,
): WriterPort {
  const worker = new Worker(url, { workerData, execArgv: [...execArgv], name: 'restore-writer' });
  let finished = false;
  worker.on('message', (message: FromWriter) => {
    finished ||= message.kind === 'finished';
    listener.onMessage(message);
  });
  worker.on('error', (error) => listener.onFailure(error));
  worker.on('exit', (code) => {
    if (!finished) listener.onFailure(new Error(`The writing thread ended with code ${code}.`));
  });
  return {
    send: (message) => worker.postMessage(message, buffersOf(message)),
    kill: async () => {
      finished = true;
      await worker.terminate();
    },
  };
}

function buffersOf(message: ToWriter): ArrayBuffer[] {
  const frames =
    message.kind === 'frames' ? message.frames : message.kind === 'extra' ? [message.frame] : [];
  const held = frames.flatMap(({ stored, content }) => stored ?? content ?? []);
  return [...new Set(held.map(({ buffer }) => buffer))];
}

function startHere(options: WriterOptions, listener: WriterListener): WriterPort {
  const later = (run: () => void): void => {
    setImmediate(() => {
      try {
        run();
      } catch (error) {
        listener.onFailure(error);
      }
    });
  };
  let writer: RestoreWriter | undefined;
  let killed = false;
  later(() => {
    writer = openWriter(options, (message) => later(() => listener.onMessage(message)));
  });
  return {
    send: (message) => later(() => (killed ? undefined : writer?.handle(message))),
    kill: () => {
      killed = true;
      return Promise.resolve();
    },
  };
}
