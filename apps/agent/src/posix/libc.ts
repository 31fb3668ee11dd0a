import { createRequire } from 'node:module';
import { constants } from 'node:os';
import { getSystemErrorName } from 'node:util';

import type { BytePath } from './byte-path.js';

/** A 64-bit result: koffi gives a number while it is exact, else a bigint. */
export type Long = number | bigint;

/**
 * The calls of the C library that Node lacks. Buffers are passed by address; a call returns -1 for an
 * error, and `errno()` must be read before the next call.
 */
export interface Libc {
  llistxattr(path: Buffer, list: Buffer | null, size: number): Long;
  lgetxattr(path: Buffer, name: Buffer, value: Buffer | null, size: number): Long;
  lsetxattr(path: Buffer, name: Buffer, value: Buffer, size: number, flags: number): number;
  lremovexattr(path: Buffer, name: Buffer): number;
  fsetxattr(fd: number, name: Buffer, value: Buffer, size: number, flags: number): number;
  mkfifo(path: Buffer, mode: number): number;
  mknod(path: Buffer, mode: number, device: Long): number;
  utimensat(directory: number, path: Buffer, times: BigInt64Array, flags: number): number;
  futimens(fd: number, times: BigInt64Array): number;
  lseek(fd: number, offset: Long, whence: number): Long;
  errno(): number;
}

const LIBRARY_NAMES = ['libc.so.6', 'libc.musl-x86_64.so.1', 'libc.musl-aarch64.so.1', 'libc.so'];

const PROTOTYPES = {
  llistxattr: 'long llistxattr(const void *path, void *list, size_t size)',
  lgetxattr: 'long lgetxattr(const void *path, const void *name, void *value, size_t size)',
  lsetxattr:
    'int lsetxattr(const void *path, const void *name, const void *value, size_t size, int flags)',
  lremovexattr: 'int lremovexattr(const void *path, const void *name)',
  fsetxattr: 'int fsetxattr(int fd, const void *name, const void *value, size_t size, int flags)',
  mkfifo: 'int mkfifo(const void *path, uint32_t mode)',
  mknod: 'int mknod(const void *path, uint32_t mode, uint64_t device)',
  utimensat: 'int utimensat(int directory, const void *path, const void *times, int flags)',
  futimens: 'int futimens(int fd, const void *times)',
  lseek: 'int64_t lseek(int fd, int64_t offset, int whence)',
} as const satisfies Partial<Record<keyof Libc, string>>;

interface Koffi {
  load(name: string): { func(prototype: string): unknown };
  errno(): number;
}

function openLibrary(koffi: Koffi): ReturnType<Koffi['load']> {
  let last: unknown;
  for (const name of LIBRARY_NAMES) {
    try {
      return koffi.load(name);
    } catch (error) {
      last = error;
    }
  }
  throw last;
}

/** What `loadLibc` found: the calls, or why they are not there. */
export type LibcResult = { libc: Libc; missing?: never } | { libc?: never; missing: string };

/** Binds the C library (once per thread; about 5 ms). Never throws. */
export function loadLibc(platform: string = process.platform): LibcResult {
  if (platform !== 'linux') return { missing: `not available on ${platform}` };
  try {
    const koffi = createRequire(import.meta.url)('koffi') as Koffi;
    const library = openLibrary(koffi);
    const calls: Record<string, unknown> = { errno: () => koffi.errno() };
    for (const [name, prototype] of Object.entries(PROTOTYPES)) {
      calls[name] = library.func(prototype);
    }
    return { libc: calls as unknown as Libc };
  } catch (error) {
    return { missing: error instanceof Error ? error.message : String(error) };
  }
}

/** A failed system call, shaped like Node's own errors: `code`, `errno` (negative), `syscall`, `path`. */
export class SystemCallError extends Error {
  override readonly name = 'SystemCallError';
  readonly code: string;
  readonly errno: number;

  constructor(
    readonly syscall: string,
    errno: number,
    readonly path?: BytePath,
  ) {
    const code = getSystemErrorName(-errno);
    super(`${code}: ${syscall}${path === undefined ? '' : ` '${path}'`}`);
    this.code = code;
    this.errno = -errno;
  }
}

/** The number of an error code on this platform (`ENODATA`, ...). */
export function errnoOf(code: keyof typeof constants.errno): number {
  return constants.errno[code];
}
