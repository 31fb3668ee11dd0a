import { createRequire } from 'node:module';
import { endianness } from 'node:os';

/** Words of 4 bytes in `struct statx`. */
export const STATX_WORDS = 64;

/** Calls of the C library that do in one microsecond what Node does in several, or not at all. */
export interface LinuxCalls {
  /** An ASCII path. */
  statx(fd: number, path: string, flags: number, mask: number, into: Uint32Array): number;
  /** A path of any bytes, with a NUL at its end. */
  statxOfBytes(fd: number, path: Buffer, flags: number, mask: number, into: Uint32Array): number;
  /** With no list and size 0: bytes of the names of the open file's extended attributes. */
  flistxattr(fd: number, list: null, size: number): number;
  errno(): number;
}

/** Undefined where they cannot be had; there is a slower way for each of them. */
export const linuxCalls: LinuxCalls | undefined = load();

/** True if the open file may have extended attributes: half a microsecond, where it can be asked. */
export function mayHaveXattrs(fd: number): boolean {
  return linuxCalls === undefined || linuxCalls.flistxattr(fd, null, 0) !== 0;
}

interface Library {
  func(prototype: string): unknown;
}

function load(): LinuxCalls | undefined {
  if (endianness() !== 'LE' || process.platform !== 'linux') return undefined;
  try {
    const koffi = createRequire(import.meta.url)('koffi') as {
      load(name: string): Library;
      errno(): number;
    };
    const calls = bind(koffi.load('libc.so.6'), () => koffi.errno());
    const works = calls.statx(-100, '/', 0, 0x7ff, new Uint32Array(STATX_WORDS)) === 0;
    return works ? calls : undefined;
  } catch {
    return undefined; // another C library, or one without statx
  }
}

function bind(library: Library, errno: () => number): LinuxCalls {
  const rest = 'int flags, uint32_t mask, void *into)';
  return {
    statx: library.func(`int statx(int fd, const char *path, ${rest}`) as LinuxCalls['statx'],
    statxOfBytes: library.func(
      `int statx(int fd, const void *path, ${rest}`,
    ) as LinuxCalls['statxOfBytes'],
    flistxattr: library.func(
      'long flistxattr(int fd, void *list, size_t size)',
    ) as LinuxCalls['flistxattr'],
    errno,
  };
}
