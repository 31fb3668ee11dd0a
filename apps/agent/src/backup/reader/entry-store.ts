import { readlinkSync } from 'node:fs';

import { emptyEntry, type ArchiveEntry } from '#archive/archive-entry.js';
import { commonColumns } from '#archive/index-line.js';
import { sameInListing } from '#archive/listing-line.js';
import { nanosecondsText } from '#archive/nanoseconds.js';
import { toPathTextBytes, toSystemPath, type ByteString } from '#archive/path-text.js';
import { PaxWriter } from '#archive/pax-writer.js';
import type { EntryType } from '#archive/tar-block.js';
import { assert } from '#kernel/assert.js';

import type { FirstLink, HardLinks } from '../../domain/hard-links.js';
import type { ListingMerge } from '../../domain/listing-merge.js';

import type { ArchiveOutput } from './archive-output.js';
import { readAttributes } from './entry-attributes.js';
import type { FileStat, StatCalls } from './file-stat.js';
import { mayHaveXattrs } from './linux-calls.js';
import type { ListingWriter } from '../listing-file.js';
import type { OwnerNames } from './owner-names.js';
import { isGone, type ReaderContext } from './reader-context.js';
import { RegularFiles } from './regular-file.js';

/**
 * A file that changed so short a time before it was read may change again without a new time stamp (they
 * advance with the kernel's clock tick, 10 ms at most), so the next incremental stores it again.
 */
const TIME_STAMP_STEP_MS = 20;

export interface EntryStoreParts {
  readonly context: ReaderContext;
  readonly output: ArchiveOutput;
  readonly stats: StatCalls;
  readonly owners: OwnerNames;
  readonly hardLinks: HardLinks;
  readonly listing: ListingWriter;
  /** Undefined for a full backup. */
  readonly merge: ListingMerge | undefined;
}

/** Puts what the walk meets into archive, index and new listing; passes over what has not changed. */
export class EntryStore {
  readonly #entry: ArchiveEntry = emptyEntry();
  readonly #writer = new PaxWriter();
  readonly #files: RegularFiles;
  #columns: ByteString = '';

  constructor(private readonly parts: EntryStoreParts) {
    this.#files = new RegularFiles({ ...parts, writer: this.#writer });
  }

  /** Takes the next entry in archive order. `stat` may be brought up to date. */
  add(path: ByteString, stat: FileStat): void {
    const { context, listing, merge } = this.parts;
    if (stat.type === 's') {
      context.info(path, 'is a socket and not stored');
      return;
    }
    if (stat.inode === listing.inode && stat.device === listing.device) return;
    const archivePath = path.slice(1);
    this.#columns = columnsOf(archivePath, stat, sizeOf(stat));
    const before = merge?.advanceTo(archivePath);
    if (before !== undefined && sameInListing(before, this.#listingLine(stat, false))) {
      listing.add(before);
      return;
    }
    const flags = this.#store(path, archivePath, stat);
    if (flags !== undefined) {
      const readAgain = flags.includes('m') || flags.includes('t') || this.#isFresh(stat);
      listing.add(this.#listingLine(stat, readAgain));
    } else if (before !== undefined) listing.add(before);
  }

  /** The walk cannot look at `path`, or not below it: what the base image has there is not gone. */
  keepWithin(path: ByteString): void {
    const { merge, listing } = this.parts;
    merge?.keepWithin(path.slice(1), (line) => listing.add(line));
  }

  /** @returns the flags of its index line, or undefined if the entry is not in the archive */
  #store(path: ByteString, archivePath: ByteString, stat: FileStat): string | undefined {
    const { context, output } = this.parts;
    const entry = this.#entry;
    fillEntry(entry, archivePath, stat, this.parts.owners);
    const inode = stat.links > 1 && stat.type !== 'd' ? `${stat.device} ${stat.inode}` : '';
    if (inode !== '' && this.#storeLink(inode, stat)) return '';
    if (stat.type !== 'f') readAttributes(path, entry, context);
    const offset = output.position;
    let flags: string | undefined = '';
    if (stat.type === 'f') flags = this.#storeFile(path, archivePath, stat);
    else if (stat.type !== 'l' || this.#readTarget(path)) this.#storePlain();
    else flags = undefined;
    if (flags === undefined) return undefined;
    context.files++;
    context.bytes += entry.size;
    if (inode !== '') {
      const place = { path: archivePath, offset, length: this.#writer.entryBytes };
      this.#rememberLink(path, inode, { ...place, size: entry.size }, stat.links);
    }
    return flags;
  }

  #storeFile(path: ByteString, archivePath: ByteString, stat: FileStat): string | undefined {
    return this.#files.store(path, this.#entry, {
      stat,
      opened: (fd) => {
        if (mayHaveXattrs(fd)) readAttributes(path, this.#entry, this.parts.context);
      },
      refresh: () => {
        const { xattrs, aclAccess, aclDefault } = this.#entry;
        fillEntry(this.#entry, archivePath, stat, this.parts.owners);
        Object.assign(this.#entry, { xattrs, aclAccess, aclDefault });
        this.#columns = columnsOf(archivePath, stat, sizeOf(stat));
      },
      lineOf: (entry, place) => {
        const columns =
          entry.size === stat.size ? this.#columns : columnsOf(archivePath, stat, entry.size);
        return (flags) => `${columns}\t${place.offset}\t${place.length}\t${flags || '-'}\t\n`;
      },
    });
  }

  #storeLink(inode: string, stat: FileStat): boolean {
    const { context, hardLinks, output } = this.parts;
    const first = hardLinks.take(inode);
    if (!first) return false;
    const entry = this.#entry;
    entry.type = 'h';
    entry.size = 0;
    entry.linkTarget = first.path;
    this.#writer.prepare(entry);
    const own = `${output.position} ${this.#writer.entryBytes}`;
    const columns = columnsOf(entry.path, stat, first.size).slice(1);
    const extra = `${own} ${toPathTextBytes(first.path)}`;
    const line = `h${columns}\t${first.offset}\t${first.length}\t-\t${extra}\n`;
    output.begin(this.#writer, line);
    output.end(line);
    context.files++;
    return true;
  }

  #storePlain(): void {
    const { output } = this.parts;
    this.#writer.prepare(this.#entry);
    const place = `${output.position}\t${this.#writer.entryBytes}`;
    const line = `${this.#columns}\t${place}\t-\t${extraOf(this.#entry)}\n`;
    output.begin(this.#writer, line);
    output.end(line);
  }

  #readTarget(path: ByteString): boolean {
    try {
      this.#entry.linkTarget = readlinkSync(toSystemPath(path), 'latin1');
      return true;
    } catch (error) {
      const { context } = this.parts;
      if (isGone(error)) context.warn(path, 'vanished before it was read');
      else context.warnOfError(path, 'cannot be read and is not in the image', error);
      return false;
    }
  }

  #rememberLink(path: ByteString, inode: string, first: FirstLink, links: number): void {
    const { context, hardLinks } = this.parts;
    const overflowedBefore = hardLinks.overflowed;
    hardLinks.add(inode, first, links);
    if (overflowedBefore || !hardLinks.overflowed) return;
    context.info(
      path,
      `more than ${hardLinks.tracked} hard links are open at once; from here on ` +
        'some are stored as files of their own',
    );
  }

  #isFresh(stat: FileStat): boolean {
    if (stat.type !== 'f') return false;
    const changedMs = stat.ctimeSeconds * 1000 + stat.ctimeNanos / 1e6;
    return changedMs > this.parts.context.nowMs - TIME_STAMP_STEP_MS;
  }

  #listingLine(stat: FileStat, readAgain: boolean): ByteString {
    const ctime = readAgain ? '0' : nanosecondsText(stat.ctimeSeconds, stat.ctimeNanos);
    return `${this.#columns}\t${ctime}\t${stat.inode}\t${stat.device}`;
  }
}

function columnsOf(path: ByteString, stat: FileStat, size: number): ByteString {
  const mtimeNs = nanosecondsText(stat.mtimeSeconds, stat.mtimeNanos);
  const { mode, uid, gid } = stat;
  return commonColumns({ type: entryTypeOf(stat), path, size, mtimeNs, mode, uid, gid });
}

function sizeOf(stat: FileStat): number {
  return stat.type === 'f' ? stat.size : 0;
}

function entryTypeOf(stat: FileStat): EntryType {
  assert(stat.type !== 's', 'a socket is never stored');
  return stat.type;
}

function extraOf(entry: ArchiveEntry): ByteString {
  if (entry.type === 'l') return toPathTextBytes(entry.linkTarget);
  const isDevice = entry.type === 'c' || entry.type === 'b';
  return isDevice ? `${entry.deviceMajor},${entry.deviceMinor}` : '';
}

function fillEntry(
  entry: ArchiveEntry,
  path: ByteString,
  stat: FileStat,
  owners: OwnerNames,
): void {
  const isDevice = stat.type === 'c' || stat.type === 'b';
  entry.type = entryTypeOf(stat);
  entry.path = path;
  entry.linkTarget = '';
  entry.size = sizeOf(stat);
  entry.mtimeSeconds = stat.mtimeSeconds;
  entry.mtimeNanos = stat.mtimeNanos;
  entry.mode = stat.mode;
  entry.uid = stat.uid;
  entry.gid = stat.gid;
  entry.userName = owners.user(stat.uid);
  entry.groupName = owners.group(stat.gid);
  entry.deviceMajor = isDevice ? stat.deviceMajor : 0;
  entry.deviceMinor = isDevice ? stat.deviceMinor : 0;
  entry.xattrs = undefined;
  entry.aclAccess = undefined;
  entry.aclDefault = undefined;
  entry.sparse = undefined;
}
