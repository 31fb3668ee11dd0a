import { futimesSync, lutimesSync, statfsSync } from 'node:fs';

import { nativePath, type BytePath } from './byte-path.js';
import { errnoOf, loadLibc, SystemCallError, type Libc } from './libc.js';

/** The longest path that is passed on; the kernel's own limit is 4,096 with the NUL. */
const PATH_BYTES_MAX = 8_191;
/** The kernel's limit for the list of names and for one value (XATTR_LIST_MAX, XATTR_SIZE_MAX). */
const XATTR_BYTES_MAX = 65_536;
const XATTR_NAME_BYTES_MAX = 255;

const AT_FDCWD = -100;
const AT_SYMLINK_NOFOLLOW = 0x100;
const SEEK_DATA = 3;
const SEEK_HOLE = 4;
const NS_PER_S = 1_000_000_000n;

const { libc, missing } = loadLibc();

/** What this machine can do, and what is lost where it cannot. */
export interface Capabilities {
  readonly xattrs: boolean;
  /** One sentence for the job log, when anything is lost. */
  readonly lost?: string;
}

export const capabilities: Capabilities = {
  xattrs: libc !== undefined,
  ...(missing === undefined
    ? {}
    : {
        lost: `Extended attributes, ACLs, fifos, devices, holes and nanoseconds are not handled: the C library cannot be called (${missing}).`,
      }),
};

// Calls are synchronous and each thread has its own copy of this module, so one set of buffers serves.
const pathBytes = Buffer.alloc(PATH_BYTES_MAX + 1);
const nameBytes = Buffer.alloc(XATTR_NAME_BYTES_MAX + 1);
const listBytes = Buffer.alloc(libc === undefined ? 0 : XATTR_BYTES_MAX);
const valueBytes = Buffer.alloc(libc === undefined ? 0 : XATTR_BYTES_MAX);
const times = new BigInt64Array(4);

function terminated(
  into: Buffer,
  text: string,
  tooLong: 'ENAMETOOLONG' | 'ERANGE',
  call: string,
): Buffer {
  if (text.length >= into.length) throw new SystemCallError(call, errnoOf(tooLong), text);
  if (text.includes('\0')) throw new SystemCallError(call, errnoOf('EINVAL'), text);
  into.write(text, 'latin1');
  into[text.length] = 0;
  return into;
}

const pathArgument = (path: BytePath, call: string): Buffer =>
  terminated(pathBytes, path, 'ENAMETOOLONG', call);
const nameArgument = (name: string, call: string): Buffer =>
  terminated(nameBytes, name, 'ERANGE', call);

function needed(call: string): Libc {
  if (libc === undefined) throw new SystemCallError(call, errnoOf('ENOSYS'));
  return libc;
}

/** Throws for any error but the ones that mean "there are none here". */
function listLength(path: BytePath): number {
  if (libc === undefined) return 0;
  const length = libc.llistxattr(
    pathArgument(path, 'llistxattr'),
    listBytes,
    XATTR_BYTES_MAX,
  ) as number;
  if (length >= 0) return length;
  const errno = libc.errno();
  if (errno === errnoOf('ENOTSUP') || errno === errnoOf('EOPNOTSUPP')) return 0;
  throw new SystemCallError('llistxattr', errno, path);
}

/**
 * Names of the extended attributes, of the path itself (a symlink is not followed), as byte strings.
 * Empty where the file system has none. A file system that keeps more than 64 KiB of names gives `E2BIG`.
 */
export function listXattrs(path: BytePath): string[] {
  const length = listLength(path);
  return length === 0 ? [] : listBytes.toString('latin1', 0, length - 1).split('\0');
}

/** The value of one attribute (a copy), or undefined when there is none of that name. */
export function getXattr(path: BytePath, name: string): Buffer | undefined {
  if (libc === undefined) return undefined;
  const length = libc.lgetxattr(
    pathArgument(path, 'lgetxattr'),
    nameArgument(name, 'lgetxattr'),
    valueBytes,
    XATTR_BYTES_MAX,
  ) as number;
  if (length >= 0) return Buffer.from(valueBytes.subarray(0, length));
  const errno = libc.errno();
  if (errno === errnoOf('ENODATA') || errno === errnoOf('ENOTSUP')) return undefined;
  throw new SystemCallError('lgetxattr', errno, path);
}

/**
 * All extended attributes of a path, or undefined when it has none: then it costs one system call, about
 * a microsecond. An attribute that goes away in between is left out.
 */
export function readXattrs(path: BytePath): Map<string, Buffer> | undefined {
  if (listLength(path) === 0) return undefined;
  const found = new Map<string, Buffer>();
  for (const name of listXattrs(path)) {
    const value = getXattr(path, name);
    if (value !== undefined) found.set(name, value);
  }
  return found.size === 0 ? undefined : found;
}

/** Sets one attribute of the path itself. Throws with the system's code (`EPERM`, `ENOTSUP`, `ENOSPC`). */
export function setXattr(path: BytePath, name: string, value: Buffer): void {
  const calls = needed('lsetxattr');
  const argument = value.length === 0 ? valueBytes : value;
  const target = pathArgument(path, 'lsetxattr');
  if (calls.lsetxattr(target, nameArgument(name, 'lsetxattr'), argument, value.length, 0) !== 0) {
    throw new SystemCallError('lsetxattr', calls.errno(), path);
  }
}

/** Sets one attribute of an open file. */
export function setXattrOfOpenFile(fd: number, name: string, value: Buffer): void {
  const calls = needed('fsetxattr');
  const argument = value.length === 0 ? valueBytes : value;
  if (calls.fsetxattr(fd, nameArgument(name, 'fsetxattr'), argument, value.length, 0) !== 0) {
    throw new SystemCallError('fsetxattr', calls.errno());
  }
}

/** Removes one attribute of the path itself; one that is not there is no error. */
export function removeXattr(path: BytePath, name: string): void {
  const calls = needed('lremovexattr');
  const target = pathArgument(path, 'lremovexattr');
  if (calls.lremovexattr(target, nameArgument(name, 'lremovexattr')) === 0) return;
  const errno = calls.errno();
  if (errno !== errnoOf('ENODATA')) throw new SystemCallError('lremovexattr', errno, path);
}

/** Makes a fifo. The process's umask applies. */
export function mkfifo(path: BytePath, mode: number): void {
  const calls = needed('mkfifo');
  if (calls.mkfifo(pathArgument(path, 'mkfifo'), mode & 0o7777) !== 0) {
    throw new SystemCallError('mkfifo', calls.errno(), path);
  }
}

/**
 * Makes a node of the kind that the type bits of `mode` name (S_IFCHR, S_IFBLK, S_IFIFO). Devices need
 * CAP_MKNOD; else `EPERM`. `device` is as `Stats.rdev` or `deviceNumber` gives it.
 */
export function mknod(path: BytePath, mode: number, device: number | bigint): void {
  const calls = needed('mknod');
  if (calls.mknod(pathArgument(path, 'mknod'), mode, device) !== 0) {
    throw new SystemCallError('mknod', calls.errno(), path);
  }
}

/** The system's device number for a major and a minor number (32 bits each). */
export function deviceNumber(major: number, minor: number): bigint {
  const high = BigInt(major);
  const low = BigInt(minor);
  return (
    ((high & 0xfffff000n) << 32n) |
    ((high & 0xfffn) << 8n) |
    ((low & 0xffffff00n) << 12n) |
    (low & 0xffn)
  );
}

/** The major and minor number of a device number (`Stats.rdev`). */
export function deviceParts(device: number | bigint): { major: number; minor: number } {
  const bits = BigInt(device);
  return {
    major: Number(((bits >> 32n) & 0xfffff000n) | ((bits >> 8n) & 0xfffn)),
    minor: Number(((bits >> 12n) & 0xffffff00n) | (bits & 0xffn)),
  };
}

/** Nanoseconds since 1970; may be negative. */
export interface FileTimes {
  readonly atimeNs: bigint;
  readonly mtimeNs: bigint;
}

function fillTimes({ atimeNs, mtimeNs }: FileTimes): void {
  // timespec holds a floored second and a fraction that is never negative.
  const part = (ns: bigint): bigint => ((ns % NS_PER_S) + NS_PER_S) % NS_PER_S;
  times[1] = part(atimeNs);
  times[0] = (atimeNs - times[1]) / NS_PER_S;
  times[3] = part(mtimeNs);
  times[2] = (mtimeNs - times[3]) / NS_PER_S;
}

const seconds = (ns: bigint): number => Number(ns / 1000n) / 1e6;

/** Sets the times of the path itself (a symlink is not followed) to the nanosecond. */
export function setTimes(path: BytePath, to: FileTimes): void {
  if (libc === undefined) {
    lutimesSync(nativePath(path), seconds(to.atimeNs), seconds(to.mtimeNs));
    return;
  }
  fillTimes(to);
  if (libc.utimensat(AT_FDCWD, pathArgument(path, 'utimensat'), times, AT_SYMLINK_NOFOLLOW) !== 0) {
    throw new SystemCallError('utimensat', libc.errno(), path);
  }
}

/** Sets the times of an open file to the nanosecond. */
export function setTimesOfOpenFile(fd: number, to: FileTimes): void {
  if (libc === undefined) {
    futimesSync(fd, seconds(to.atimeNs), seconds(to.mtimeNs));
    return;
  }
  fillTimes(to);
  if (libc.futimens(fd, times) !== 0) throw new SystemCallError('futimens', libc.errno());
}

/** A run of bytes that are there, as opposed to a hole. */
export interface DataRange {
  offset: number;
  length: number;
}

/**
 * Where an open file of `size` bytes has data, ascending; holes are left out, so a file that is one hole
 * gives an empty list. One range over everything where the system cannot tell. Moves the file's position:
 * read with explicit positions. The list is bounded by the number of extents.
 */
export function dataRanges(fd: number, size: number): DataRange[] {
  if (size === 0) return [];
  if (libc === undefined) return [{ offset: 0, length: size }];
  const ranges: DataRange[] = [];
  let at = 0;
  while (at < size) {
    const start = Number(libc.lseek(fd, at, SEEK_DATA));
    if (start < 0) {
      if (libc.errno() === errnoOf('ENXIO')) break; // a hole up to the end
      return ranges.length === 0 ? [{ offset: 0, length: size }] : unreadRest(ranges, at, size);
    }
    if (start >= size) break;
    const hole = Number(libc.lseek(fd, start, SEEK_HOLE));
    if (hole < 0) return unreadRest(ranges, start, size);
    ranges.push({ offset: start, length: Math.min(hole, size) - start });
    at = hole;
  }
  return ranges;
}

/** When the question fails half-way, the rest counts as data: nothing may be left out. */
function unreadRest(ranges: DataRange[], from: number, size: number): DataRange[] {
  ranges.push({ offset: from, length: size - from });
  return ranges;
}

/** Whether a file occupies fewer blocks than its size needs: the cheap question before `dataRanges`. */
export function mayBeSparse(stats: { size: number; blocks: number }): boolean {
  return stats.size > stats.blocks * 512;
}

const FS_TYPES: ReadonlyMap<number, string> = new Map([
  [0x9fa0, 'proc'],
  [0x62656572, 'sysfs'],
  [0x64626720, 'debugfs'],
  [0x74726163, 'tracefs'],
  [0x73636673, 'securityfs'],
  [0x27e0eb, 'cgroup'],
  [0x63677270, 'cgroup2'],
  [0x1cd1, 'devpts'],
  [0xcafe4a11, 'bpf'],
  [0x6165676c, 'pstore'],
  [0x62656570, 'configfs'],
  [0x19800202, 'mqueue'],
  [0x958458f6, 'hugetlbfs'],
  [0xde5e81e4, 'efivarfs'],
  [0x42494e4d, 'binfmt_misc'],
  [0x67596969, 'rpc_pipefs'],
  [0x187, 'autofs'],
  [0x6e736673, 'nsfs'],
  [0x65735543, 'fusectl'],
  [0x01021994, 'tmpfs'],
  [0x858458f6, 'ramfs'],
  [0xef53, 'ext4'],
  [0x58465342, 'xfs'],
  [0x9123683e, 'btrfs'],
  [0x794c7630, 'overlay'],
  [0x2fc12fc1, 'zfs'],
  [0x6969, 'nfs'],
  [0xff534d42, 'cifs'],
  [0xfe534d42, 'smb2'],
  [0x65735546, 'fuse'],
  [0x01021997, '9p'],
  [0x4d44, 'vfat'],
  [0x9660, 'isofs'],
  [0x73717368, 'squashfs'],
  [0xf2f52010, 'f2fs'],
  [0x137f, 'minix'],
]);

/** The kind of the file system that holds a path: its name, or `0x...` for one that is not in our list. */
export function fsType(path: BytePath): string {
  const { type } = statfsSync(nativePath(path));
  return FS_TYPES.get(type >>> 0) ?? `0x${(type >>> 0).toString(16)}`;
}
