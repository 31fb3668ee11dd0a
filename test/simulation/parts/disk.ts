/** What a disk refuses, with the system's code (`ENOENT`, `EEXIST`, `ENOSPC`, `EIO`). */
export class DiskError extends Error {
  override readonly name = 'DiskError';

  constructor(
    readonly code: 'ENOENT' | 'EEXIST' | 'ENOSPC' | 'EIO',
    path: string,
  ) {
    super(`${code}: ${path}`);
  }
}

/**
 * What the programs use of a file system. Folders need not be made. Its laws, for the simulated one
 * and a real one (`contracts/describe-disk.ts`):
 *
 * - What was appended is read back, also by another process after the writer was killed. A full disk
 *   refuses to append; what is there stays.
 * - `create` refuses a name that is taken, `rename` puts a file in the place of another in one step:
 *   whoever looks sees the one or the other, whole.
 * - Only `sync` makes content survive a power loss, only `syncFolder` a name: of a file made, renamed
 *   or removed in it. A file's content and its name are two things.
 */
export interface Disk {
  create(path: string): void;
  append(path: string, bytes: Buffer): void;
  truncate(path: string, length: number): void;
  read(path: string): Buffer;
  exists(path: string): boolean;
  /** Names in a folder, sorted; none where there is no folder. */
  list(folder: string): string[];
  sync(path: string): void;
  syncFolder(folder: string): void;
  rename(from: string, to: string): void;
  remove(path: string): void;
}
