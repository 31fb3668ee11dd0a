import { ReaderPool } from '../reader-pool.js';

/** Reading threads from the sources, for tests that run without a build. */
export const SOURCE_READERS = new ReaderPool(
  new URL('../reader/reader.worker.ts', import.meta.url),
  ['--import', new URL('./typescript-hook.mjs', import.meta.url).href],
);
