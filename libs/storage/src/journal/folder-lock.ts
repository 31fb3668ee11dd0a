import { createRequire } from 'node:module';
import { open, type FileHandle } from 'node:fs/promises';
import { constants } from 'node:os';
import { join } from 'node:path';
import { messageOf } from '#kernel/errors.js';
import { isNoRoom, VolumeUnusable } from '../errors.js';
import { lockByProcess, OPEN_ELSEWHERE, OPEN_HERE } from './process-lock.js';

const LOCK_EXCLUSIVE_NOW = 2 | 4;

/** Locks the file behind a descriptor. Returns 0, or the number of the error. */
type Flock = (fd: number) => number;

/** Lock files that this process has locked, by device and inode. */
const held = new Set<string>();

/** Held until `release`, or until the process ends in whatever way. */
export interface FolderLock {
  release(): Promise<void>;
}

/**
 * Takes a folder for this process alone. The kernel's `flock` does it, so a lock cannot outlive
 * its process; where the C library cannot be called, files name the process that holds it. Throws
 * `VolumeUnusable` if it is taken, or cannot be locked.
 */
export async function lockFolder(folder: string): Promise<FolderLock> {
  const flock = loadFlock();
  if (!flock) return lockByProcess(folder);
  const handle = await open(join(folder, 'lock'), 'a', 0o600);
  try {
    const { dev, ino } = await handle.stat();
    const file = `${dev}:${ino}`;
    const error = flock(handle.fd);
    if (error !== 0) throw new VolumeUnusable(folder, whyNotLocked(error, held.has(file)));
    await note(handle);
    held.add(file);
    return {
      release: async () => {
        held.delete(file);
        await handle.close();
      },
    };
  } catch (error) {
    await handle.close();
    throw error;
  }
}

/**
 * What an error of `flock` means.
 * @param isOurs this process has locked the file before
 */
export function whyNotLocked(error: number, isOurs: boolean): string {
  if (error === constants.errno.EWOULDBLOCK) return isOurs ? OPEN_HERE : OPEN_ELSEWHERE;
  const [code] = Object.entries(constants.errno).find(([, number]) => number === error) ?? [error];
  return `it cannot be locked (${code}): its file system has to know file locks`;
}

/** For a person who wonders who holds it: where there is no room for that, it is held all the same. */
async function note(handle: FileHandle): Promise<void> {
  try {
    await handle.appendFile(`opened by process ${process.pid}\n`);
  } catch (error) {
    if (!isNoRoom(error)) throw error;
  }
}

let loaded: { flock: Flock | undefined } | undefined;

function loadFlock(): Flock | undefined {
  loaded ??= { flock: tryLoad() };
  return loaded.flock;
}

function tryLoad(): Flock | undefined {
  try {
    const koffi = createRequire(import.meta.url)('koffi') as {
      load(name: string | null): {
        func(prototype: string): (fd: number, operation: number) => number;
      };
      errno(): number;
    };
    const flock = koffi.load(null).func('int flock(int fd, int operation)');
    return (fd) => (flock(fd, LOCK_EXCLUSIVE_NOW) === 0 ? 0 : koffi.errno());
  } catch (error) {
    process.emitWarning(`flock cannot be called, process files are used: ${messageOf(error)}`);
    return undefined;
  }
}
