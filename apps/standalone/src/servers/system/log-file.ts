import {
  closeSync,
  ftruncateSync,
  openSync,
  readSync,
  renameSync,
  statSync,
  writeFileSync,
} from 'node:fs';

const LOG_BYTES_MAX = 10 * 1024 * 1024;
const BLOCK_BYTES = 1024 * 1024;

/** Moves a log that has grown large out of the way (one older one is kept). Before a start only. */
export function rotateLog(file: string): void {
  if (isLarge(file)) renameSync(file, olderOf(file));
}

/**
 * The same while a process appends to it, which goes on in the emptied file: so it is copied. What is said in the
 * moment between the last read and the cut is lost. Throws what the file system says; then the log is as it was.
 */
export function rotateRunningLog(file: string): void {
  if (!isLarge(file)) return;
  const log = openSync(file, 'r+');
  try {
    const older = openSync(olderOf(file), 'w', 0o600);
    try {
      const block = Buffer.allocUnsafe(BLOCK_BYTES);
      let read: number;
      while ((read = readSync(log, block)) > 0) writeFileSync(older, block.subarray(0, read));
    } finally {
      closeSync(older);
    }
    ftruncateSync(log);
  } finally {
    closeSync(log);
  }
}

function isLarge(file: string): boolean {
  return (statSync(file, { throwIfNoEntry: false })?.size ?? 0) > LOG_BYTES_MAX;
}

function olderOf(file: string): string {
  return `${file}.1`;
}
