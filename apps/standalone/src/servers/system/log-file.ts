import { renameSync, statSync } from 'node:fs';

const LOG_BYTES_MAX = 10 * 1024 * 1024;

/** Moves a log that has grown large out of the way (one older one is kept). Before a start only. */
export function rotateLog(file: string): void {
  const size = statSync(file, { throwIfNoEntry: false })?.size ?? 0;
  if (size > LOG_BYTES_MAX) {
    renameSync(file, `${file}.1`);
  }
}
