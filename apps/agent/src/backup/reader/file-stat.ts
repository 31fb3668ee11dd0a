import { fstatSync, lstatSync, statSync, type BigIntStats } from 'node:fs';

import { writeByteText } from '#archive/byte-text.js';
import type { EntryType } from '#archive/tar-block.js';
import { isAscii, type ByteString } from '#archive/path-text.js';

import { SystemCallError } from '../../posix/libc.js';
import { deviceParts } from '../../posix/posix.js';

import { STATX_WORDS, linuxCalls, type LinuxCalls } from './linux-calls.js';

/** What the walk needs to know of a file. Whole numbers; times in seconds and nanoseconds. */
export interface FileStat {
  /** `s`: a socket. */
  type: Exclude<EntryType, 'h'> | 's';
  size: number;
  /** Blocks of 512 bytes that are allocated. */
  blocks: number;
  /** 12 bits. */
  mode: number;
  uid: number;
  gid: number;
  links: number;
  /** Decimal text where it is beyond what a number can hold. */
  inode: number | string;
  /** `major:minor`: identifies the file system while it is mounted. */
  device: string;
  deviceMajor: number;
  deviceMinor: number;
  mtimeSeconds: number;
  mtimeNanos: number;
  ctimeSeconds: number;
  ctimeNanos: number;
}

/** The calls. They fill the object that they are given, and throw as Node's own do. */
export interface StatCalls {
  lstat(path: ByteString, into: FileStat): void;
  /**
   * `lstat` of what was asked for by name: where an automounter stands ready it mounts, and what is mounted is looked at.
   * If it cannot, there is nothing (`ENOENT`, as a rule), though the folder is there.
   */
  lstatMounted(path: ByteString, into: FileStat): void;
  /** Has an automounter mount, too. */
  stat(path: ByteString, into: FileStat): void;
  fstat(fd: number, into: FileStat): void;
  /**
   * `lstat` of what an open folder holds, without walking there again, which is a tenth of an incremental's time. Undefined
   * where it cannot be done.
   */
  readonly lstatIn?: ((folder: number, entry: EntryOfFolder, into: FileStat) => void) | undefined;
}

export interface EntryOfFolder {
  readonly name: ByteString;
  /** For the error. */
  readonly path: ByteString;
}

const TYPES: Readonly<Record<number, FileStat['type']>> = {
  0o01: 'p',
  0o02: 'c',
  0o04: 'd',
  0o06: 'b',
  0o10: 'f',
  0o12: 'l',
  0o14: 's',
};

export function emptyStat(): FileStat {
  return {
    type: 'f',
    size: 0,
    blocks: 0,
    mode: 0,
    uid: 0,
    gid: 0,
    links: 1,
    inode: 0,
    device: '0',
    deviceMajor: 0,
    deviceMinor: 0,
    mtimeSeconds: 0,
    mtimeNanos: 0,
    ctimeSeconds: 0,
    ctimeNanos: 0,
  };
}

/** Node's own calls with bigints: works everywhere, about 8 us a file. */
export const nodeStatCalls: StatCalls = {
  lstat: (path, into) => fromNode(lstatSync(system(path), { bigint: true }), into),
  lstatMounted: (path, into) => fromNode(lstatSync(system(path), { bigint: true }), into),
  stat: (path, into) => fromNode(statSync(system(path), { bigint: true }), into),
  fstat: (fd, into) => fromNode(fstatSync(fd, { bigint: true }), into),
};

/** `statx` where the C library can be called (about 4 us a file), else Node's own calls. */
export function fastestStatCalls(): StatCalls {
  return linuxCalls ? statxCalls(linuxCalls) : nodeStatCalls;
}

const NANOS = 1_000_000_000n;

function fromNode(stats: BigIntStats, into: FileStat): void {
  const mode = Number(stats.mode);
  const { major, minor } = deviceParts(stats.rdev);
  into.type = TYPES[mode >> 12] ?? 's';
  into.size = Number(stats.size);
  into.blocks = Number(stats.blocks);
  into.mode = mode & 0o7777;
  into.uid = Number(stats.uid);
  into.gid = Number(stats.gid);
  into.links = Number(stats.nlink);
  into.inode = stats.ino <= Number.MAX_SAFE_INTEGER ? Number(stats.ino) : String(stats.ino);
  const device = deviceParts(stats.dev);
  into.device = `${device.major}:${device.minor}`;
  into.deviceMajor = major;
  into.deviceMinor = minor;
  [into.mtimeSeconds, into.mtimeNanos] = split(stats.mtimeNs);
  [into.ctimeSeconds, into.ctimeNanos] = split(stats.ctimeNs);
}

function split(ns: bigint): [number, number] {
  const rest = Number(ns % NANOS);
  const seconds = Number(ns / NANOS);
  return rest < 0 ? [seconds - 1, rest + Number(NANOS)] : [seconds, rest];
}

function system(path: ByteString): string | Buffer {
  return isAscii(path) ? path : Buffer.from(path, 'latin1');
}

const AT_FDCWD = -100;
const AT_SYMLINK_NOFOLLOW = 0x100;
const AT_EMPTY_PATH = 0x1000;
const AT_NO_AUTOMOUNT = 0x800;
const STATX_BASIC_STATS = 0x7ff;
const TWO_32 = 2 ** 32;

function statxCalls({ statx, errno }: LinuxCalls): StatCalls {
  const words = new Uint32Array(STATX_WORDS);
  const call = (folder: number, name: ByteString, flags: number) =>
    statx(folder, terminated(name), flags, STATX_BASIC_STATS, words) === 0;
  const fail = (path: ByteString): never => {
    throw new SystemCallError('statx', errno(), path);
  };
  const onPath = (path: ByteString, flags: number, into: FileStat) => {
    if (!call(AT_FDCWD, path, flags)) fail(path);
    fromStatx(words, into);
  };
  return {
    lstat: (path, into) => onPath(path, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT, into),
    lstatMounted: (path, into) => onPath(path, AT_SYMLINK_NOFOLLOW, into),
    stat: (path, into) => onPath(path, 0, into),
    lstatIn: (folder, { name, path }, into) => {
      if (!call(folder, name, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT)) fail(path);
      fromStatx(words, into);
    },
    fstat: (fd, into) => {
      if (!call(fd, '', AT_EMPTY_PATH)) fail('');
      fromStatx(words, into);
    },
  };
}

/** Room for what the kernel takes (PATH_MAX). */
const nameBytes = Buffer.alloc(4096);

/** With a NUL behind it, good until the next call. */
function terminated(name: ByteString): Buffer {
  if (name.length >= nameBytes.length) return Buffer.from(`${name}\0`, 'latin1');
  nameBytes[writeByteText(nameBytes, 0, name)] = 0;
  return nameBytes;
}

/** `struct statx` by words of 4 bytes, as the kernel's interface lays it out for every architecture. */
function fromStatx(words: Uint32Array, into: FileStat): void {
  const mode = words[7]! & 0xffff;
  into.links = words[4]!;
  into.uid = words[5]!;
  into.gid = words[6]!;
  into.type = TYPES[mode >> 12] ?? 's';
  into.mode = mode & 0o7777;
  const inodeHigh = words[9]!;
  into.inode =
    inodeHigh < 0x200000
      ? inodeHigh * TWO_32 + words[8]!
      : String((BigInt(inodeHigh) << 32n) | BigInt(words[8]!));
  into.size = words[11]! * TWO_32 + words[10]!;
  into.blocks = words[13]! * TWO_32 + words[12]!;
  into.ctimeSeconds = (words[25]! | 0) * TWO_32 + words[24]!;
  into.ctimeNanos = words[26]!;
  into.mtimeSeconds = (words[29]! | 0) * TWO_32 + words[28]!;
  into.mtimeNanos = words[30]!;
  into.deviceMajor = words[32]!;
  into.deviceMinor = words[33]!;
  into.device = deviceText(words[34]!, words[35]!);
}

const last = { major: 0, minor: 0, text: '0:0' };

/** Most entries lie on the device of the one before. */
function deviceText(major: number, minor: number): string {
  if (last.major !== major || last.minor !== minor) {
    Object.assign(last, { major, minor, text: `${major}:${minor}` });
  }
  return last.text;
}
