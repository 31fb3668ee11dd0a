import { createRequire } from 'node:module';
import { endianness } from 'node:os';

/** Words of 4 bytes in `struct statx`. */
export const STATX_WORDS = 64;

/** Calls of the C library that do in one microsecond what Node does in several, or not at all. */
export interface LinuxCalls {
  /** @param path bytes with a NUL behind them */
  statx(fd: number, path: Buffer, flags: number, mask: number, into: Uint32Array): number;
  /** With no list and size 0: bytes of the names of the open file's extended attributes. */
  flistxattr(fd: number, list: null, size: number): number;
  /** The next entries of an open folder, one `struct linux_dirent64` behind the other: their bytes, 0 at the end. */
  getdents64(fd: number, into: Buffer, size: number): number;
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
    const works =
      calls.statx(-100, Buffer.from('/\0'), 0, 0x7ff, new Uint32Array(STATX_WORDS)) === 0;
    return works ? calls : undefined;
  } catch {
    return undefined; // another C library, or one without statx
  }
}

function bind(library: Library, errno: () => number): LinuxCalls {
  return {
    statx: library.func(
      'int statx(int fd, const void *path, int flags, uint32_t mask, void *into)',
    ) as LinuxCalls['statx'],
    flistxattr: library.func(
      'long flistxattr(int fd, void *list, size_t size)',
    ) as LinuxCalls['flistxattr'],
    getdents64: library.func(
      'long getdents64(int fd, void *into, size_t size)',
    ) as LinuxCalls['getdents64'],
    errno,
  };
}
