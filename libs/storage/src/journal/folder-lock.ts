import { createRequire } from 'node:module';
import { open, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { messageOf } from '#kernel/errors.js';
import { VolumeUnusable } from '../errors.js';
import { lockByProcess } from './process-lock.js';

const LOCK_EXCLUSIVE_NOW = 2 | 4;

type Flock = (fd: number, operation: number) => number;

/** Held until `release`, or until the process ends in whatever way. */
export interface FolderLock {
  release(): Promise<void>;
}

/**
 * Takes a folder for this process alone. The kernel's `flock` does it, so a lock cannot outlive
 * its process; where the C library cannot be called, files name the process that holds it. Throws
 * `VolumeUnusable` if it is taken.
 */
export async function lockFolder(folder: string): Promise<FolderLock> {
  const flock = loadFlock();
  if (!flock) return lockByProcess(folder);
  const handle = await open(join(folder, 'lock'), 'a', 0o600);
  try {
    if (flock(handle.fd, LOCK_EXCLUSIVE_NOW) !== 0) {
      throw new VolumeUnusable(folder, 'another media server process has it open');
    }
    await note(handle);
  } catch (error) {
    await handle.close();
    throw error;
  }
  return { release: () => handle.close() };
}

/** For a person who wonders who holds it. */
async function note(handle: FileHandle): Promise<void> {
  await handle.appendFile(`opened by process ${process.pid}\n`);
}

let loaded: { flock: Flock | undefined } | undefined;

function loadFlock(): Flock | undefined {
  loaded ??= { flock: tryLoad() };
  return loaded.flock;
}

function tryLoad(): Flock | undefined {
  try {
    const koffi = createRequire(import.meta.url)('koffi') as {
      load(name: string | null): { func(prototype: string): Flock };
    };
    return koffi.load(null).func('int flock(int fd, int operation)');
  } catch (error) {
    process.emitWarning(`flock cannot be called, process files are used: ${messageOf(error)}`);
    return undefined;
  }
}
