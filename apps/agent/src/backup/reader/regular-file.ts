import { closeSync, constants, openSync, readSync } from 'node:fs';

import type { ArchiveEntry } from '#archive/archive-entry.js';
import { toSystemPath, type ByteString } from '#archive/path-text.js';
import type { PaxWriter } from '#archive/pax-writer.js';
import { SPARSE_RUNS_MAX, type DataRange } from '#archive/sparse-map.js';

import { dataRanges, mayBeSparse } from '../../posix/posix.js';

import type { ArchiveOutput } from './archive-output.js';
import { emptyStat, type FileStat, type StatCalls } from './file-stat.js';
import { isGone, type ReaderContext } from './reader-context.js';

/** Files up to this size are read whole before their header is written. */
export const SMALL_FILE_BYTES_MAX = 128 * 1024;
/** Smaller files are stored whole, holes or not. */
const SPARSE_BYTES_MIN = 64 * 1024;
/** How often a small file is read again that changed while it was read. */
const SMALL_FILE_TRIES = 3;
/** `O_NONBLOCK`: should it have become a fifo since, opening it must not wait for a writer. */
const OPEN_FLAGS = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

export interface RegularFileParts {
  readonly context: ReaderContext;
  readonly output: ArchiveOutput;
  readonly stats: StatCalls;
  readonly writer: PaxWriter;
}

/** Called when the header is known: gives the index line for the flags that the file ends up with. */
export type LineMaker = (
  entry: ArchiveEntry,
  place: { offset: number; length: number },
) => (flags: string) => ByteString;

export interface StoreJob {
  /** As the walk found the file; brought up to date with what is stored. */
  readonly stat: FileStat;
  /** Called with the open file before anything is written. */
  readonly opened: (fd: number) => void;
  /** Called when `stat` has changed: the entry must follow it. */
  readonly refresh: () => void;
  readonly lineOf: LineMaker;
}

/** Stores regular files, whatever happens to them meanwhile: see `docs/formats.md` for the promise. */
export class RegularFiles {
  readonly #scratch = Buffer.allocUnsafeSlow(SMALL_FILE_BYTES_MAX);
  readonly #after = emptyStat();

  constructor(private readonly parts: RegularFileParts) {}

  /**
   * Stores a file with its header and index line.
   * @returns the flags, or undefined if it could not be read at all: then there is a note and no entry
   */
  store(path: ByteString, entry: ArchiveEntry, job: StoreJob): string | undefined {
    const fd = this.#open(path);
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

  #open(path: ByteString): number | undefined {
    try {
      return openSync(toSystemPath(path), OPEN_FLAGS);
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
  ): string | undefined | 'large' {
    const { context, stats } = this.parts;
    let bytes = 0;
    let changed = false;
    for (let attempt = 1; attempt <= SMALL_FILE_TRIES; attempt++) {
      try {
        bytes = this.#readWhole(fd, job.stat.size);
      } catch (error) {
        context.warnOfError(path, 'cannot be read and is not in the image', error);
        return undefined;
      }
      stats.fstat(fd, this.#after);
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
    const flags = changed ? 'm' : '';
    entry.size = bytes;
    const line = this.#begin(entry, job.lineOf);
    this.parts.output.write(this.#scratch, bytes);
    this.parts.output.end(line(flags));
    return flags;
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
  ): string | undefined {
    const { context, output, stats } = this.parts;
    stats.fstat(fd, this.#after);
    if (isChanged(job.stat, this.#after)) {
      Object.assign(job.stat, this.#after);
      job.refresh();
    }
    if (job.stat.type !== 'f') {
      context.warn(path, 'became something else before it was read and is not in the image');
      return undefined;
    }
    const ranges = this.#rangesOf(fd, job.stat);
    entry.size = job.stat.size;
    entry.sparse = ranges;
    const line = this.#begin(entry, job.lineOf);
    const whole = this.#copyRanges(fd, path, ranges ?? [{ offset: 0, length: job.stat.size }]);
    stats.fstat(fd, this.#after);
    let flags = ranges ? 's' : '';
    if (isChanged(job.stat, this.#after)) {
      flags += 'm';
      context.warn(path, changeText(job.stat.size, this.#after.size));
    }
    if (!whole) flags += 't';
    output.end(line(flags));
    return flags;
  }

  #begin(entry: ArchiveEntry, lineOf: LineMaker): (flags: string) => ByteString {
    const { writer, output } = this.parts;
    writer.prepare(entry);
    const line = lineOf(entry, { offset: output.position, length: writer.entryBytes });
    output.begin(writer, line(entry.sparse ? 's' : ''));
    return line;
  }

  #rangesOf(fd: number, stat: FileStat): readonly DataRange[] | undefined {
    if (stat.size < SPARSE_BYTES_MIN || !mayBeSparse(stat)) return undefined;
    const ranges = dataRanges(fd, stat.size);
    const only = ranges.length === 1 ? ranges[0]! : undefined;
    const isWhole = only !== undefined && only.offset === 0 && only.length === stat.size;
    return isWhole || ranges.length > SPARSE_RUNS_MAX ? undefined : ranges;
  }

  /** Writes exactly as many bytes as the ranges promise. @returns false if some are only zeros. */
  #copyRanges(fd: number, path: ByteString, ranges: readonly DataRange[]): boolean {
    let sound = true;
    for (const range of ranges) {
      const copied = sound ? this.#copyRange(fd, path, range) : 0;
      if (copied < range.length) {
        sound = false;
        this.parts.output.zeros(range.length - copied);
      }
    }
    return sound;
  }

  #copyRange(fd: number, path: ByteString, range: DataRange): number {
    const { context, output } = this.parts;
    for (let copied = 0; copied < range.length;) {
      const room = output.room();
      const wanted = Math.min(room.length, range.length - copied);
      const at = range.offset + copied;
      let read: number;
      try {
        read = readSync(fd, room, 0, wanted, at);
      } catch (error) {
        context.warnOfError(path, `cannot be read from byte ${at} on; zeros stand there`, error);
        return copied;
      }
      if (read === 0) {
        context.warn(path, `ended at byte ${at} while it was read; zeros stand in for the rest`);
        return copied;
      }
      output.advance(read);
      copied += read;
      context.tick(path, 16);
    }
    return range.length;
  }
}

function isSmall(stat: FileStat): boolean {
  if (stat.size >= SPARSE_BYTES_MIN && mayBeSparse(stat)) return false;
  return stat.size <= SMALL_FILE_BYTES_MAX;
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
