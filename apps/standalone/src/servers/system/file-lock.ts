import { spawnSync } from 'node:child_process';
import { closeSync, constants, ftruncateSync, openSync, readFileSync, writeSync } from 'node:fs';

import { PermanentError } from '#kernel/errors.js';
import { STATUS } from '#kernel/status.js';

/** As 'a+', but never through a symlink, to which file ever it leads: what is opened is also cut. */
const TO_LOCK = constants.O_RDWR | constants.O_CREAT | constants.O_APPEND | constants.O_NOFOLLOW;

/** A lock that is held until `release`, or until this process is gone, however it went. */
export interface FileLock {
  release(): void;
}

/**
 * Locks `file` for this process, and writes this process's id into it.
 *
 * The lock is the kernel's (flock), so nothing is ever stale: it belongs to our open file, and goes
 * with it even after SIGKILL. The `flock` command of util-linux takes it on a descriptor that it
 * shares with us. The file itself stays for good; removing it would let two holders in. A symlink is
 * refused (ELOOP).
 *
 * With `waitMs` 0 it returns `undefined` at once where another process holds the lock; otherwise
 * it waits that long (it blocks this process meanwhile).
 */
export function lockFile(file: string, waitMs = 0): FileLock | undefined {
  const descriptor = openSync(file, TO_LOCK, 0o600);
  const limit = waitMs === 0 ? ['-n'] : ['-w', String(waitMs / 1000)];
  const taken = spawnSync('flock', [...limit, '3'], {
    stdio: ['ignore', 'ignore', 'pipe', descriptor],
  });
  if (taken.status !== 0) {
    closeSync(descriptor);
    if (taken.status === 1) {
      return undefined;
    }
    const reason = taken.error?.message ?? taken.stderr.toString().trim();
    throw new PermanentError(STATUS.fileOpenFailed, `Cannot lock ${file}: ${reason}`);
  }
  ftruncateSync(descriptor);
  writeSync(descriptor, `${process.pid}\n`);
  return { release: () => closeSync(descriptor) };
}

/** The process that last held the lock, as text for a message. */
export function lockHolder(file: string): string {
  return readFileSync(file, 'utf8').trim() || 'unknown';
}
