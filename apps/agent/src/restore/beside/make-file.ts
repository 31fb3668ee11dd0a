import { closeSync, openSync, unlinkSync, writeSync } from 'node:fs';

import { nativePath } from '../../posix/byte-path.js';
import { NEW_FILE_FLAGS } from '../../posix/new-file.js';
import { setTimesOfOpenFile } from '../../posix/posix.js';
import type { NewFile } from './file-batch.js';

/**
 * Makes a new file with what it holds. False if it cannot be made, or not to its end; then it is gone again: whoever
 * wants it tries it once more, meets the same, and says so.
 */
export function makeFile(file: NewFile): boolean {
  const path = nativePath(file.path);
  const fd = attempt(() => openSync(path, NEW_FILE_FLAGS, file.mode));
  if (fd === undefined) return false;
  const isFilled = attempt(() => fill(fd, file));
  const isClosed = attempt(() => (closeSync(fd), true));
  if (isFilled && isClosed) return true;
  attempt(() => unlinkSync(path));
  return false;
}

function fill(fd: number, { content, mtimeSeconds, mtimeNanos }: NewFile): true {
  for (let at = 0; at < content.length;) {
    at += writeSync(fd, content, at, content.length - at, at);
  }
  const mtimeNs = BigInt(mtimeSeconds) * 1_000_000_000n + BigInt(mtimeNanos);
  setTimesOfOpenFile(fd, { atimeNs: mtimeNs, mtimeNs });
  return true;
}

/** Undefined where the system refuses. */
function attempt<T>(call: () => T): T | undefined {
  try {
    return call();
  } catch {
    return undefined;
  }
}
