import { closeSync, constants, openSync, readSync } from 'node:fs';

import type { ArchiveEntry } from '#archive/archive-entry.js';
import { toSystemPath, type ByteString } from '#archive/path-text.js';
import type { PaxWriter } from '#archive/pax-writer.js';
import { SPARSE_RUNS_MAX, type DataRange } from '#archive/sparse-map.js';
import { codeOf } from '#kernel/errors.js';

import { dataRanges, mayBeSparse } from '../../posix/posix.js';

import type { ArchiveOutput, BytesAtHand } from './archive-output.js';
import { emptyStat, type FileStat, type StatCalls } from './file-stat.js';
import { wayTo, type OpenFolder } from './open-folder.js';
import { isGone, type ReaderContext } from './reader-context.js';
import type { OpenEntry } from '../reader-state.js';

/** Files up to this size are read whole before their header is written. */
const SMALL_FILE_BYTES_MAX = 128 * 1024;
/** Smaller files are stored whole, holes or not. */
const SPARSE_BYTES_MIN = 64 * 1024;
const ZEROS = 'zeros stand in for the rest';
/** How often a small file is read again that changed while it was read. */
const SMALL_FILE_TRIES = 3;
/** `O_NONBLOCK`: should it have become a fifo since, opening it must not wait for a writer. */
export const OPEN_FLAGS = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

/**
 * How often a file is opened that somebody has a lease on (Samba, an NFS server), and what is waited in between. The first
 * time tells the holder to give it up, which takes milliseconds; one that does not answer loses it after 45 s.
 */
const LEASE_TRIES = 10;
const LEASE_WAIT_MS = 100;

export interface RegularFileParts {
  readonly context: ReaderContext;
  readonly output: ArchiveOutput;
  readonly stats: StatCalls;
  readonly writer: PaxWriter;
}

export type ContentOf = Pick<OpenEntry, 'flags' | 'fromFile' | 'ranges'>;

const SMALL: ContentOf = { flags: '', fromFile: false, ranges: undefined };
const SMALL_CHANGED: ContentOf = { ...SMALL, flags: 'm' };

export interface StoreJob {
  /** As the walk found the file; brought up to date with what is stored. */
  readonly stat: FileStat;
  /** In which it lies; undefined: it is reached by its path. */
  readonly folder: OpenFolder | undefined;
  /** Called with the open file before anything is written. */
  readonly opened: (fd: number) => void;
  /** Called when `stat` has changed: the entry must follow it. */
  readonly refresh: () => void;
  /** Called when the header is prepared. */
  readonly open: (content: ContentOf) => OpenEntry;
  readonly lineOf: (open: OpenEntry) => ByteString;
}

/** Stores regular files, whatever happens to them meanwhile: see `docs/formats.md` for the promise. */
export class RegularFiles {
  readonly #scratch = Buffer.allocUnsafeSlow(SMALL_FILE_BYTES_MAX);
  /** The content of a small file. */
  readonly #atHand: BytesAtHand = { buffer: this.#scratch, length: 0 };
  readonly #after = emptyStat();

  constructor(private readonly parts: RegularFileParts) {}

  /**
   * Stores a file with its header and index line.
   * @param ahead What it holds, where that was read already: the file is what `job.stat` says, and has no attributes.
   * @returns undefined if it could not be read at all: then there is a note and no entry
   */
  store(
    path: ByteString,
    entry: ArchiveEntry,
    job: StoreJob,
    ahead?: Buffer,
  ): OpenEntry | undefined {
    if (ahead) return this.#storeWhole(entry, job, { buffer: ahead, length: ahead.length });
    const fd = this.#open(path, wayTo(path, job.folder));
    if (fd === undefined) return undefined;
    try {
      job.opened(fd);
      if (isSmall(job.stat)) {
        const done = this.#storeSmall(fd, path, entry, job);
        if (done !== 'large') return done;
      }
      return this.#storeLarge(fd, path, entry, job);
    } finally {
      closeSync(fd);
    }
  }

  /**
   * Goes on with the content of a file that an earlier reader has begun: `done` bytes of it are
   * written. It is treated as if it had been open all the time; what is not there any more is zeros.
   */
  goOn(open: OpenEntry, done: number): void {
    const fd = open.zeros ? undefined : this.#openAgain(open);
    if (fd === undefined) {
      open.zeros = true;
      open.flags += 't';
      this.parts.output.zeros(contentBytesOf(open) - done);
      return;
    }
    try {
      this.#copy(fd, open, done);
    } finally {
      closeSync(fd);
    }
  }

  #openAgain({ path, stat }: OpenEntry): number | undefined {
    const { context, stats } = this.parts;
    let fd: number | undefined;
    try {
      fd = openFile(path);
      stats.fstat(fd, this.#after);
      if (isSameFile(stat, this.#after)) return fd;
      const what = this.#after.type === 'f' ? 'was replaced' : 'became something else';
      context.warn(path, `${what} while it was read; ${ZEROS}`);
    } catch (error) {
      if (isGone(error)) context.warn(path, `vanished while it was read; ${ZEROS}`);
      else context.warnOfError(path, `cannot be opened again; ${ZEROS}`, error);
    }
    if (fd !== undefined) closeSync(fd);
    return undefined;
  }

  #open(path: ByteString, way: ByteString): number | undefined {
    try {
      return openFile(way);
    } catch (error) {
      if (isGone(error)) this.parts.context.warn(path, 'vanished before it was read');
      else this.parts.context.warnOfError(path, 'cannot be opened and is not in the image', error);
      return undefined;
    }
  }

  #storeSmall(
    fd: number,
    path: ByteString,
    entry: ArchiveEntry,
    job: StoreJob,
  ): OpenEntry | undefined | 'large' {
    const { context, stats } = this.parts;
    let bytes = 0;
    let changed = false;
    for (let attempt = 1; attempt <= SMALL_FILE_TRIES; attempt++) {
      try {
        bytes = this.#readWhole(fd, job.stat.size);
        stats.fstat(fd, this.#after);
      } catch (error) {
        context.warnOfError(path, 'cannot be read and is not in the image', error);
        return undefined;
      }
      changed = isChanged(job.stat, this.#after);
      if (!changed) break;
      Object.assign(job.stat, this.#after);
      job.refresh();
      if (job.stat.type !== 'f') {
        context.warn(path, 'became something else while it was read and is not in the image');
        return undefined;
      }
      if (!isSmall(job.stat)) return 'large';
    }
    if (changed) context.warn(path, 'changed while it was read');
    else if (this.#isLonger(fd, bytes, job.stat.size)) {
      context.warn(path, `holds more than the ${job.stat.size} bytes of its size; cut at ${bytes}`);
      changed = true;
    }
    this.#atHand.length = bytes;
    return this.#storeWhole(entry, job, this.#atHand, changed ? SMALL_CHANGED : SMALL);
  }

  #storeWhole(entry: ArchiveEntry, job: StoreJob, atHand: BytesAtHand, content = SMALL): OpenEntry {
    entry.size = atHand.length;
    const open = this.#begin(entry, job, content, atHand);
    this.parts.output.end(job.lineOf(open));
    return open;
  }

  /** A made-up file may hold more than it says, of which no more than `#scratch` is read. */
  #isLonger(fd: number, bytes: number, expected: number): boolean {
    if (bytes === expected || bytes < SMALL_FILE_BYTES_MAX) return false;
    return readSync(fd, Buffer.allocUnsafe(1), 0, 1, bytes) > 0;
  }

  #readWhole(fd: number, expected: number): number {
    let bytes = 0;
    for (;;) {
      const read = readSync(fd, this.#scratch, bytes, SMALL_FILE_BYTES_MAX - bytes, bytes);
      bytes += read;
      if (read === 0 || bytes === SMALL_FILE_BYTES_MAX || bytes === expected) return bytes;
    }
  }

  #storeLarge(
    fd: number,
    path: ByteString,
    entry: ArchiveEntry,
    job: StoreJob,
  ): OpenEntry | undefined {
    const { context, output, stats } = this.parts;
    try {
      stats.fstat(fd, this.#after);
    } catch (error) {
      context.warnOfError(path, 'cannot be read and is not in the image', error);
      return undefined;
    }
    if (isChanged(job.stat, this.#after)) {
      Object.assign(job.stat, this.#after);
      job.refresh();
    }
    if (job.stat.type !== 'f') {
      context.warn(path, 'became something else before it was read and is not in the image');
      return undefined;
    }
    if (!Number.isSafeInteger(job.stat.size)) {
      context.warn(path, 'is too large (2^53 bytes or more) and is not in the image');
      return undefined;
    }
    entry.size = job.stat.size;
    entry.sparse = this.#rangesOf(fd, job.stat);
    const ranges = entry.sparse && packed(entry.sparse);
    const open = this.#begin(entry, job, { flags: ranges ? 's' : '', fromFile: true, ranges });
    this.#copy(fd, open, 0);
    output.end(job.lineOf(open));
    return open;
  }

  #begin(entry: ArchiveEntry, job: StoreJob, content: ContentOf, atHand?: BytesAtHand): OpenEntry {
    const { writer, output } = this.parts;
    writer.prepare(entry);
    const open = job.open(content);
    output.begin(writer, { line: job.lineOf(open), entry: open }, atHand);
    return open;
  }

  /** Copies the content behind the first `done` bytes, and sets the flags by what happened meanwhile. */
  #copy(fd: number, open: OpenEntry, done: number): void {
    const { context, stats } = this.parts;
    const { path, stat } = open;
    this.#copyRanges(fd, open, done);
    try {
      stats.fstat(fd, this.#after);
      if (isChanged(stat, this.#after)) {
        open.flags += 'm';
        context.warn(path, changeText(stat.size, this.#after.size));
      }
    } catch (error) {
      // A share whose file another client has removed.
      open.flags += 'm';
      context.warnOfError(path, 'may have changed while it was read', error);
    }
    if (open.zeros) open.flags += 't';
  }

  #rangesOf(fd: number, stat: FileStat): readonly DataRange[] | undefined {
    if (stat.size < SPARSE_BYTES_MIN || !mayBeSparse(stat)) return undefined;
    const ranges = dataRanges(fd, stat.size);
    const only = ranges.length === 1 ? ranges[0]! : undefined;
    const isWhole = only !== undefined && only.offset === 0 && only.length === stat.size;
    return isWhole || ranges.length > SPARSE_RUNS_MAX ? undefined : ranges;
  }

  /** Writes exactly as many bytes as the ranges promise. */
  #copyRanges(fd: number, open: OpenEntry, done: number): void {
    const ranges = open.ranges ?? [0, open.size];
    let skip = done;
    for (let at = 0; at < ranges.length; at += 2) {
      const skipped = Math.min(skip, ranges[at + 1]!);
      skip -= skipped;
      const range = { offset: ranges[at]! + skipped, length: ranges[at + 1]! - skipped };
      const copied = open.zeros ? 0 : this.#copyRange(fd, open, range);
      if (copied < range.length) this.parts.output.zeros(range.length - copied);
    }
  }

  /** @returns how many bytes were read; fewer than there should be only together with `zeros`. */
  #copyRange(fd: number, open: OpenEntry, range: DataRange): number {
    const { context, output } = this.parts;
    const { path } = open;
    for (let copied = 0; copied < range.length;) {
      const room = output.room();
      const wanted = Math.min(room.length, range.length - copied);
      const at = range.offset + copied;
      let read: number;
      try {
        read = readSync(fd, room, 0, wanted, at);
      } catch (error) {
        context.warnOfError(path, `cannot be read from byte ${at} on; zeros stand there`, error);
        open.zeros = true;
        return copied;
      }
      if (read === 0) {
        context.warn(path, `ended at byte ${at} while it was read; ${ZEROS}`);
        open.zeros = true;
        return copied;
      }
      output.advance(read);
      copied += read;
      context.tick(path, 16);
    }
    return range.length;
  }
}

/** Waits for leases, a second at most: see `LEASE_TRIES`. */
function openFile(path: ByteString): number {
  for (let tries = 1; ; tries++) {
    try {
      return openSync(toSystemPath(path), OPEN_FLAGS);
    } catch (error) {
      if (codeOf(error) !== 'EAGAIN' || tries === LEASE_TRIES) throw error;
    }
    Atomics.wait(NOBODY_WAKES, 0, 0, LEASE_WAIT_MS);
  }
}

const NOBODY_WAKES = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT));

/** Bytes of content in the archive, without padding. */
function contentBytesOf({ ranges, size }: OpenEntry): number {
  if (!ranges) return size;
  let bytes = 0;
  for (let at = 1; at < ranges.length; at += 2) bytes += ranges[at]!;
  return bytes;
}

/** Shared between threads, so that it is not copied with each buffer of a file. */
function packed(ranges: readonly DataRange[]): Float64Array {
  const bytes = 2 * ranges.length * Float64Array.BYTES_PER_ELEMENT;
  const numbers = new Float64Array(new SharedArrayBuffer(bytes));
  ranges.forEach(({ offset, length }, at) => numbers.set([offset, length], 2 * at));
  return numbers;
}

/** True for a file that is read whole. */
export function isSmall(stat: FileStat): boolean {
  if (stat.size >= SPARSE_BYTES_MIN && mayBeSparse(stat)) return false;
  return stat.size <= SMALL_FILE_BYTES_MAX;
}

/**
 * True for the file that was begun, changed or not: no other's content may be stored as its owner's. A device may have
 * another number after a boot; then nothing else may have changed.
 */
function isSameFile(begun: FileStat, found: FileStat): boolean {
  return (
    found.type === 'f' &&
    begun.inode === found.inode &&
    begun.uid === found.uid &&
    (begun.device === found.device || !isChanged(begun, found))
  );
}

function isChanged(before: FileStat, after: FileStat): boolean {
  return (
    before.size !== after.size ||
    before.mtimeNanos !== after.mtimeNanos ||
    before.mtimeSeconds !== after.mtimeSeconds ||
    before.ctimeNanos !== after.ctimeNanos ||
    before.ctimeSeconds !== after.ctimeSeconds ||
    before.inode !== after.inode ||
    before.type !== after.type
  );
}

function changeText(before: number, after: number): string {
  if (after > before)
    return `grew from ${before} to ${after} bytes while it was read; cut at ${before}`;
  if (after < before) return `shrank from ${before} to ${after} bytes while it was read`;
  return 'changed while it was read';
}
