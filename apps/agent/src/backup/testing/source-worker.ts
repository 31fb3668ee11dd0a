import type { WorkerSource } from '../reader-thread.js';

/** Starts the reading thread from the sources, for tests that run without a build. */
export const SOURCE_WORKER: WorkerSource = {
  url: new URL('../reader/reader.worker.ts', import.meta.url),
  execArgv: ['--import', new URL('./typescript-hook.mjs', import.meta.url).href],
};
