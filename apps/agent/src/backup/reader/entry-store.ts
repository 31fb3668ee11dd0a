import { readlinkSync } from 'node:fs';

import { emptyEntry, type ArchiveEntry } from '#archive/archive-entry.js';
import { commonColumns } from '#archive/index-line.js';
import { listingLine, sameInListing } from '#archive/listing-line.js';
import { nanosecondsText } from '#archive/nanoseconds.js';
import { toPathTextBytes, toSystemPath, type ByteString } from '#archive/path-text.js';
import { PaxWriter } from '#archive/pax-writer.js';
import type { EntryType } from '#archive/tar-block.js';
import { assert } from '#kernel/assert.js';

import type { FirstLink, HardLinks } from '../../domain/hard-links.js';
import type { ListingMerge } from '../../domain/listing-merge.js';
import type { SplitLinks } from '../../domain/split-links.js';

import type { ArchiveOutput } from './archive-output.js';
import { readAttributes } from './entry-attributes.js';
import type { FileStat, StatCalls } from './file-stat.js';
import { mayHaveXattrs } from './linux-calls.js';
import type { ListingWriter } from '../listing-file.js';
import type { OpenEntry, ReaderState } from '../reader-state.js';
import { wayTo, type OpenFolder } from './open-folder.js';
import type { OwnerNames } from './owner-names.js';
import { isGone, type ReaderContext } from './reader-context.js';
import { RegularFiles, type ContentOf, type StoreJob } from './regular-file.js';

/**
 * A file that changed so short a time before it was read may change again without a new time stamp (they
 * advance with the kernel's clock tick, 10 ms at most), so the next incremental stores it again.
 */
const TIME_STAMP_STEP_MS = 20;
/** The same where they have no fractions: on ext3, on ext4 with small inodes, and on many shares of such. */
const COARSE_STEP_MS = 2_000;

/** An entry as the walk has found it. */
interface Found {
  readonly archivePath: ByteString;
  readonly stat: FileStat;
  /** In which it lies; undefined: it is reached by its path. */
  readonly folder: OpenFolder | undefined;
  readonly ahead: ReadContent | undefined;
}

/** The content of a file that was read already: see `RegularFiles.store`. */
export interface ReadContent {
  readonly content: Buffer;
  /** When it was read, or a little before. Milliseconds since 1970. */
  readonly readMs: number;
}

export interface EntryStoreParts {
  readonly context: ReaderContext;
  readonly output: ArchiveOutput;
  readonly stats: StatCalls;
  readonly owners: OwnerNames;
  readonly hardLinks: HardLinks;
  readonly splitLinks: SplitLinks;
  readonly listing: ListingWriter;
  /** Selections that stand for what they lead to, should they be symlinks. */
  readonly followed: ReadonlySet<ByteString>;
  /** Undefined for a full backup. */
  readonly merge: ListingMerge | undefined;
}

/** Puts what the walk meets into archive, index and new listing; passes over what has not changed. */
export class EntryStore {
  readonly #entry: ArchiveEntry = emptyEntry();
  readonly #writer = new PaxWriter();
  readonly #files: RegularFiles;
  #columns: ByteString = '';
  /** The next incremental has to store the entry again. */
  #again = false;
  /** When it was read; a little before, never behind. */
  #readMs = 0;

  constructor(private readonly parts: EntryStoreParts) {
    this.#files = new RegularFiles({ ...parts, writer: this.#writer });
  }

  /**
   * Takes the next entry in archive order. `stat` may be brought up to date.
   * @param folder In which it lies; undefined: it is reached by its path.
   * @param ahead What a file holds, if it was read already.
   */
  add(path: ByteString, stat: FileStat, folder: OpenFolder | undefined, ahead?: ReadContent): void {
    const { context, listing, merge } = this.parts;
    if (stat.type === 's') {
      context.info(path, 'is a socket and not stored');
      return;
    }
    if (listing.isOwn(stat)) return;
    const archivePath = path.slice(1);
    // A link of a file that this image holds is stored with it, though it has not changed: else a restore would part them.
    const mayPass = !isLinked(stat) || !this.parts.hardLinks.has(inodeOf(stat));
    if (mayPass && merge?.takeSame(archivePath, stat, listing)) return this.#passed(stat);
    this.#columns = columnsOf(archivePath, stat, sizeOf(stat));
    const before = merge?.advanceTo(archivePath);
    const isSame = before !== undefined && sameInListing(before, this.#listingLine(stat, false));
    if (mayPass && isSame) {
      listing.add(before);
      return this.#passed(stat);
    }
    const stored = this.#store(path, { archivePath, stat, folder, ahead });
    if (stored) this.#done(stored);
    else if (before !== undefined) listing.add(before);
  }

  /** Goes on where another store stood: completes the entry that it had begun. */
  goOn(state: ReaderState): void {
    const { output, merge } = this.parts;
    output.goOn(state);
    const { entry } = state;
    if (!entry) return;
    merge?.skipThrough(entry.path.slice(1));
    this.#columns = columnsOf(entry.path.slice(1), entry.stat, sizeOf(entry.stat));
    const content = output.position - entry.offset - entry.headerBytes;
    if (entry.fromFile) this.#files.goOn(entry, content);
    output.endWithoutLine();
    this.#done(entry);
  }

  /** The walk cannot look at `path`, or not below it: what the base image has there is not gone. */
  keepWithin(path: ByteString): void {
    const { merge, listing } = this.parts;
    merge?.keepWithin(path.slice(1), (line) => listing.add(line));
  }

  #passed(stat: FileStat): void {
    if (isLinked(stat)) this.parts.splitLinks.pass(inodeOf(stat), stat.links);
  }

  /** @returns undefined if the entry is not in the archive */
  #store(path: ByteString, found: Found): OpenEntry | undefined {
    const { archivePath, stat, folder, ahead } = found;
    const { context } = this.parts;
    const entry = this.#entry;
    fillEntry(entry, archivePath, stat, this.parts.owners);
    this.#again = false;
    this.#readMs = ahead?.readMs ?? context.nowMs;
    if (isLinked(stat)) {
      const link = this.#storeLink(path, stat);
      if (link) return link;
    }
    if (stat.type === 'f') return this.#storeFile(path, found);
    const way = wayTo(path, folder);
    const isFollowed = stat.type === 'd' && this.parts.followed.has(path);
    readAttributes({ path, way: isFollowed ? `${path}/` : way }, entry, context);
    if (stat.type === 'l' && !this.#readTarget(path, way)) return undefined;
    return this.#storePlain(path, stat);
  }

  /** The entry is in the archive, whole. */
  #done(open: OpenEntry): void {
    const { context, listing } = this.parts;
    const { stat, flags, type } = open;
    context.files++;
    context.addBytes(open.size);
    const again = open.again || flags.includes('m') || flags.includes('t');
    if (stat.links > 1 && type !== 'd' && type !== 'h') this.#rememberLink(open, again);
    listing.add(this.#listingLine(stat, again));
  }

  /** What is known of the entry whose header is prepared. */
  #opened(path: ByteString, stat: FileStat, content: ContentOf = PLAIN): OpenEntry {
    return {
      path,
      stat,
      type: this.#entry.type,
      offset: this.parts.output.position,
      headerBytes: this.#writer.headerBytes,
      length: this.#writer.entryBytes,
      size: this.#entry.size,
      flags: content.flags,
      fromFile: content.fromFile,
      ranges: content.ranges,
      zeros: false,
      again: this.#again || this.#isFresh(stat),
    };
  }

  #storeFile(path: ByteString, { archivePath, stat, folder, ahead }: Found): OpenEntry | undefined {
    const job: StoreJob = {
      stat,
      folder,
      opened: (fd) => {
        if (!mayHaveXattrs(fd)) return;
        readAttributes({ path, way: wayTo(path, folder) }, this.#entry, this.parts.context);
      },
      refresh: () => {
        const { xattrs, aclAccess, aclDefault } = this.#entry;
        fillEntry(this.#entry, archivePath, stat, this.parts.owners);
        Object.assign(this.#entry, { xattrs, aclAccess, aclDefault });
        this.#columns = columnsOf(archivePath, stat, sizeOf(stat));
      },
      open: (content) => this.#opened(path, stat, content),
      lineOf: ({ size, offset, length, flags }) => {
        const columns = size === stat.size ? this.#columns : columnsOf(archivePath, stat, size);
        return `${columns}\t${offset}\t${length}\t${flags || '-'}\t\n`;
      },
    };
    return this.#files.store(path, this.#entry, job, ahead?.content);
  }

  /** @returns undefined if it is the first link, or the first one is not what it is now */
  #storeLink(path: ByteString, stat: FileStat): OpenEntry | undefined {
    const { hardLinks, output } = this.parts;
    const first = hardLinks.take(inodeOf(stat));
    if (!first) return undefined;
    this.#again = hasChangedSince(first, stat);
    if (hasOtherContent(first, stat)) return undefined;
    const entry = this.#entry;
    entry.type = 'h';
    entry.size = 0;
    entry.linkTarget = first.path;
    this.#writer.prepare(entry);
    const open = this.#opened(path, stat);
    const columns = columnsOf(entry.path, stat, first.size).slice(1);
    const extra = `${open.offset} ${open.length} ${toPathTextBytes(first.path)}`;
    const line = `h${columns}\t${first.offset}\t${first.length}\t-\t${extra}\n`;
    output.begin(this.#writer, { line, entry: open });
    output.end(line);
    return open;
  }

  #storePlain(path: ByteString, stat: FileStat): OpenEntry {
    const { output } = this.parts;
    this.#writer.prepare(this.#entry);
    const open = this.#opened(path, stat);
    const place = `${open.offset}\t${open.length}`;
    const line = `${this.#columns}\t${place}\t-\t${extraOf(this.#entry)}\n`;
    output.begin(this.#writer, { line, entry: open });
    output.end(line);
    return open;
  }

  #readTarget(path: ByteString, way: ByteString): boolean {
    try {
      this.#entry.linkTarget = readlinkSync(toSystemPath(way), 'latin1');
      return true;
    } catch (error) {
      const { context } = this.parts;
      if (isGone(error)) context.warn(path, 'vanished before it was read');
      else context.warnOfError(path, 'cannot be read and is not in the image', error);
      return false;
    }
  }

  #rememberLink({ path, stat, offset, length, size }: OpenEntry, again: boolean): void {
    const { context, hardLinks } = this.parts;
    const overflowedBefore = hardLinks.overflowed;
    const { mtimeSeconds, mtimeNanos, ctimeSeconds, ctimeNanos } = stat;
    const ctime = again ? NEVER : { ctimeSeconds, ctimeNanos };
    const times = { mtimeSeconds, mtimeNanos, ...ctime };
    const first = { path: path.slice(1), offset, length, size, ...times };
    hardLinks.add(inodeOf(stat), first, stat.links);
    this.parts.splitLinks.store(inodeOf(stat));
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
    const stepMs = stat.ctimeNanos === 0 ? COARSE_STEP_MS : TIME_STAMP_STEP_MS;
    return changedMs > this.#readMs - stepMs;
  }

  #listingLine(stat: FileStat, readAgain: boolean): ByteString {
    const ctime = readAgain ? '0' : nanosecondsText(stat.ctimeSeconds, stat.ctimeNanos);
    return listingLine(this.#columns, ctime, stat);
  }
}

/** No link has this time: all of them are stored again. */
const NEVER = { ctimeSeconds: 0, ctimeNanos: -1 };
const PLAIN: ContentOf = { flags: '', fromFile: false, ranges: undefined };

function isLinked({ links, type }: FileStat): boolean {
  return links > 1 && type !== 'd';
}

function inodeOf(stat: FileStat): string {
  return `${stat.device} ${stat.inode}`;
}

/** A link shows the content of the first one. One that was changed in between needs its own. */
function hasOtherContent(first: FirstLink, stat: FileStat): boolean {
  return (
    first.size !== sizeOf(stat) ||
    first.mtimeSeconds !== stat.mtimeSeconds ||
    first.mtimeNanos !== stat.mtimeNanos
  );
}

/** The next incremental finds the first link changed; it must find the others so, too. */
function hasChangedSince(first: FirstLink, stat: FileStat): boolean {
  return first.ctimeSeconds !== stat.ctimeSeconds || first.ctimeNanos !== stat.ctimeNanos;
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
