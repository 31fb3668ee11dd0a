import {
  closeSync,
  constants,
  lstatSync,
  openSync,
  readSync,
  readdirSync,
  readlinkSync,
  type BigIntStats,
} from 'node:fs';

import { bytePathOf, nativePath, type BytePath } from '../../apps/agent/src/posix/byte-path.js';
import { dataRanges, readXattrs, type DataRange } from '../../apps/agent/src/posix/posix.js';

/** One thing in which two trees differ. Values are text for people; `-` where there is nothing. */
export interface Difference {
  /** Byte path below the roots; empty for the roots themselves. */
  readonly path: BytePath;
  readonly what: string;
  readonly a: string;
  readonly b: string;
}

export interface CompareOptions {
  /** True for a path (below the roots) that is left out, with everything below it. */
  readonly ignore?: (path: BytePath) => boolean;
  /** Leaves out one kind of difference (`owner`, `mtime`, ...), for a user who cannot restore it. */
  readonly ignoreWhat?: readonly string[];
}

/** More differences than this are counted as one more line and not listed. */
const DIFFERENCES_MAX = 1_000;
const BUFFER_BYTES = 2 ** 20;
/** A restored file may take this much more room than the original (extents, xattr blocks). */
const ALLOCATED_SLACK_BYTES = 256 * 1024;
const ALLOCATED_SLACK_PART = 0.05;

/**
 * Compares two trees in every byte and every piece of metadata: names, kinds, sizes, content, modes, owners, modification
 * times to the nanosecond, extended attributes and ACLs, link targets, device numbers, which paths are links of one file,
 * and how much room sparse files take. Access and change times and the sizes of folders are not compared. Streams: memory
 * depends on the widest folder only (and on the number of hard-linked files). Works on paths of any length.
 */
export async function compareTrees(
  a: string,
  b: string,
  options: CompareOptions = {},
): Promise<Difference[]> {
  const comparison = new Comparison(options);
  comparison.compareRoots(bytePathOf(a), bytePathOf(b));
  return comparison.result();
}

/** A pair of entries, one in each tree, reached by paths that are short for the system. */
interface Pair {
  readonly path: BytePath;
  readonly inA: BytePath;
  readonly inB: BytePath;
}

const FOLDER_FLAGS = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW;
const FILE_FLAGS = constants.O_RDONLY | constants.O_NOFOLLOW;

class Comparison {
  readonly #differences: Difference[] = [];
  #count = 0;
  readonly #bOfA = new Map<string, string>();
  readonly #aOfB = new Map<string, string>();
  readonly #bufferA = Buffer.allocUnsafeSlow(BUFFER_BYTES);
  readonly #bufferB = Buffer.allocUnsafeSlow(BUFFER_BYTES);

  constructor(readonly options: CompareOptions) {}

  compareRoots(a: BytePath, b: BytePath): void {
    this.#comparePair({ path: '', inA: a, inB: b });
  }

  result(): Difference[] {
    if (this.#count > this.#differences.length) {
      const more = String(this.#count - this.#differences.length);
      this.#differences.push({ path: '', what: 'further differences', a: more, b: more });
    }
    return this.#differences;
  }

  #differ(path: BytePath, what: string, values: readonly [unknown, unknown]): void {
    if (this.options.ignoreWhat?.includes(what) === true) return;
    this.#count++;
    if (this.#differences.length >= DIFFERENCES_MAX) return;
    this.#differences.push({ path, what, a: String(values[0]), b: String(values[1]) });
  }

  #same(path: BytePath, what: string, values: readonly [unknown, unknown]): boolean {
    if (values[0] === values[1]) return true;
    this.#differ(path, what, values);
    return false;
  }

  #comparePair(pair: Pair): void {
    const a = lstatSync(nativePath(pair.inA), { bigint: true });
    const b = lstatSync(nativePath(pair.inB), { bigint: true });
    if (!this.#same(pair.path, 'kind', [kindOf(a), kindOf(b)])) return;
    this.#compareStats(pair.path, a, b);
    this.#compareXattrs(pair);
    if (!a.isDirectory() && (a.nlink > 1n || b.nlink > 1n)) this.#compareLinks(pair.path, a, b);
    if (a.isFile()) this.#compareFiles(pair, a, b);
    else if (a.isDirectory()) this.#compareFolders(pair);
    else if (a.isSymbolicLink()) {
      const read = (path: BytePath): string =>
        readlinkSync(nativePath(path), { encoding: 'buffer' }).toString('latin1');
      this.#same(pair.path, 'link target', [read(pair.inA), read(pair.inB)]);
    }
  }

  #compareStats(path: BytePath, a: BigIntStats, b: BigIntStats): void {
    const octal = (stats: BigIntStats): string => (stats.mode & 0o7777n).toString(8);
    if (!a.isSymbolicLink()) this.#same(path, 'mode', [octal(a), octal(b)]);
    this.#same(path, 'owner', [a.uid, b.uid]);
    this.#same(path, 'group', [a.gid, b.gid]);
    this.#same(path, 'mtime', [a.mtimeNs, b.mtimeNs]);
    if (a.isCharacterDevice() || a.isBlockDevice()) this.#same(path, 'device', [a.rdev, b.rdev]);
    if (!a.isFile()) return;
    this.#same(path, 'size', [a.size, b.size]);
    const room = (stats: BigIntStats): number => Number(stats.blocks) * 512;
    const allowed = room(a) * (1 + ALLOCATED_SLACK_PART) + ALLOCATED_SLACK_BYTES;
    if (room(b) > allowed) this.#differ(path, 'allocated bytes', [room(a), room(b)]);
  }

  #compareXattrs(pair: Pair): void {
    const a = readXattrs(pair.inA);
    const b = readXattrs(pair.inB);
    if (a === undefined && b === undefined) return;
    for (const name of new Set([...(a?.keys() ?? []), ...(b?.keys() ?? [])])) {
      const hex = (value?: Buffer): string => value?.toString('hex') ?? '-';
      this.#same(pair.path, `xattr ${name}`, [hex(a?.get(name)), hex(b?.get(name))]);
    }
  }

  /** Two paths are one file in one tree exactly when they are in the other. */
  #compareLinks(path: BytePath, a: BigIntStats, b: BigIntStats): void {
    const idA = `${a.dev}:${a.ino}`;
    const idB = `${b.dev}:${b.ino}`;
    const partner = this.#bOfA.get(idA);
    const partnerOfB = this.#aOfB.get(idB);
    if ((partner ?? idB) !== idB || (partnerOfB ?? idA) !== idA) {
      this.#differ(path, 'hard links', [`linked as inode ${a.ino}`, `inode ${b.ino} is not`]);
      return;
    }
    this.#bOfA.set(idA, idB);
    this.#aOfB.set(idB, idA);
  }

  #compareFiles(pair: Pair, a: BigIntStats, b: BigIntStats): void {
    if (a.size !== b.size || a.size === 0n) return;
    const fdA = openSync(nativePath(pair.inA), FILE_FLAGS);
    const fdB = openSync(nativePath(pair.inB), FILE_FLAGS);
    try {
      const size = Number(a.size);
      for (const range of dataOfEither(fdA, fdB, { size, a, b })) {
        const at = this.#firstDifference(fdA, fdB, range);
        if (at === undefined) continue;
        this.#differ(pair.path, 'content', [`byte ${at}`, `byte ${at}`]);
        return;
      }
    } finally {
      closeSync(fdA);
      closeSync(fdB);
    }
  }

  #firstDifference(fdA: number, fdB: number, range: DataRange): number | undefined {
    for (let at = range.offset; at < range.offset + range.length; at += BUFFER_BYTES) {
      const length = Math.min(BUFFER_BYTES, range.offset + range.length - at);
      const bytesA = this.#bufferA.subarray(0, readFully(fdA, this.#bufferA, { at, length }));
      const bytesB = this.#bufferB.subarray(0, readFully(fdB, this.#bufferB, { at, length }));
      if (bytesA.equals(bytesB)) continue;
      const first = bytesA.findIndex((byte, i) => byte !== bytesB[i]);
      return at + (first < 0 ? bytesA.length : first);
    }
    return undefined;
  }

  #compareFolders(pair: Pair): void {
    const fdA = openSync(nativePath(pair.inA), FOLDER_FLAGS);
    const fdB = openSync(nativePath(pair.inB), FOLDER_FLAGS);
    try {
      const rootA = `/proc/self/fd/${fdA}`;
      const rootB = `/proc/self/fd/${fdB}`;
      const inB = new Set(namesIn(rootB));
      for (const name of namesIn(rootA)) {
        const path = pair.path === '' ? name : `${pair.path}/${name}`;
        const there = inB.delete(name);
        if (this.options.ignore?.(path) === true) continue;
        if (!there) this.#differ(path, 'missing', ['there', '-']);
        else this.#comparePair({ path, inA: `${rootA}/${name}`, inB: `${rootB}/${name}` });
      }
      for (const name of inB) {
        const path = pair.path === '' ? name : `${pair.path}/${name}`;
        if (this.options.ignore?.(path) !== true) this.#differ(path, 'extra', ['-', 'there']);
      }
    } finally {
      closeSync(fdA);
      closeSync(fdB);
    }
  }
}

function namesIn(folder: BytePath): string[] {
  return readdirSync(folder, { encoding: 'buffer' }).map((name) => name.toString('latin1'));
}

function kindOf(stats: BigIntStats): string {
  if (stats.isFile()) return 'file';
  if (stats.isDirectory()) return 'folder';
  if (stats.isSymbolicLink()) return 'symlink';
  if (stats.isFIFO()) return 'fifo';
  if (stats.isSocket()) return 'socket';
  return stats.isBlockDevice() ? 'block device' : 'character device';
}

function readFully(
  fd: number,
  into: Buffer,
  { at, length }: { at: number; length: number },
): number {
  let got = 0;
  while (got < length) {
    const bytes = readSync(fd, into, got, length - got, at + got);
    if (bytes === 0) break;
    got += bytes;
  }
  return got;
}

/** Where at least one of two files of the same size has data; the rest is a hole in both. */
function dataOfEither(
  fdA: number,
  fdB: number,
  { size, a, b }: { size: number; a: BigIntStats; b: BigIntStats },
): DataRange[] {
  const full = (stats: BigIntStats): boolean => stats.blocks * 512n >= stats.size;
  if (full(a) || full(b)) return [{ offset: 0, length: size }];
  const all = [...dataRanges(fdA, size), ...dataRanges(fdB, size)];
  all.sort((left, right) => left.offset - right.offset);
  const merged: DataRange[] = [];
  for (const range of all) {
    const last = merged.at(-1);
    if (last === undefined || last.offset + last.length < range.offset) merged.push({ ...range });
    else last.length = Math.max(last.length, range.offset + range.length - last.offset);
  }
  return merged;
}
