import {
  closeSync,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  openSync,
  readSync,
  writeSync,
} from 'node:fs';
import { open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';

import { writeByteText } from '#archive/byte-text.js';
import type { ByteString } from '#archive/path-text.js';

import { DamagedListing, type Lines, type LineTarget } from '../domain/listing-merge.js';

import { emptyStat, nodeStatCalls, type FileStat } from './reader/file-stat.js';

const BLOCK_BYTES = 256 * 1024;
const NEWLINE = 0x0a;

/** The file that a listing is written to until its image is complete. */
export function listingPartPath(listingPath: string): string {
  return `${listingPath}.part`;
}

/** The file beside it that says how an interrupted backup can go on. */
export function checkpointPath(listingPath: string): string {
  return `${listingPath}.resume`;
}

/**
 * Makes the new listing the listing of its image. To be called only when the media server has said that the image
 * is complete: an incremental that builds on it trusts that its files are stored.
 */
export async function commitListing(listingPath: string): Promise<void> {
  await rename(listingPartPath(listingPath), listingPath);
  await rm(checkpointPath(listingPath), { force: true });
  await syncFolderOf(listingPath);
}

/** Gives up a listing that was not committed, and with it the way to go on with its image. */
export async function discardListing(listingPath: string): Promise<void> {
  await rm(listingPartPath(listingPath), { force: true });
  await rm(checkpointPath(listingPath), { force: true });
}

/** Makes sure that the names of files beside a listing outlast a loss of power. */
export async function syncFolderOf(listingPath: string): Promise<void> {
  const folder = await open(dirname(listingPath));
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

/** Reads a listing, or what lies beside it, line by line, blocking, a block at a time. */
export class ListingReader implements Lines {
  readonly #fd: number;
  block = Buffer.alloc(BLOCK_BYTES);
  start = 0;
  end = -1;
  /** Bytes of the block that were read. */
  #filled = 0;

  constructor(path: string) {
    this.#fd = openSync(path, 'r');
  }

  next(): boolean {
    this.start = this.end + 1;
    for (let from = this.start; ;) {
      this.end = this.block.indexOf(NEWLINE, from);
      if (this.end >= 0 && this.end < this.#filled) return true;
      const rest = this.#filled - this.start;
      if (this.#fill() === 0) {
        this.end = this.#filled - 1;
        if (rest === 0) return false;
        throw new DamagedListing('The listing of the base image is cut short');
      }
      from = rest;
    }
  }

  text(): ByteString {
    return this.block.toString('latin1', this.start, this.end);
  }

  close(): void {
    closeSync(this.#fd);
  }

  /** Brings the present line to the beginning of the block, and reads on behind what is there of it. */
  #fill(): number {
    this.block.copyWithin(0, this.start, this.#filled);
    this.#filled -= this.start;
    this.start = 0;
    if (this.#filled === this.block.length) {
      this.block = Buffer.concat([this.block], 2 * this.block.length);
    }
    const room = this.block.length - this.#filled;
    const bytes = readSync(this.#fd, this.block, this.#filled, room, null);
    this.#filled += bytes;
    return bytes;
  }
}

export interface ListingWriterOptions {
  /** Another file that grows while the client is read. */
  readonly beside: string;
  /** Bytes of the listing, left by an earlier backup, behind which to go on; what follows is cut. */
  readonly goOnAt?: number | undefined;
}

/** Writes a listing, blocking, a block at a time. */
export class ListingWriter implements LineTarget {
  readonly #fd: number;
  readonly #own: readonly FileStat[];
  readonly #block = Buffer.alloc(BLOCK_BYTES);
  #used = 0;
  #flushed = 0;

  constructor(path: string, { beside, goOnAt }: ListingWriterOptions) {
    this.#fd = openSync(path, goOnAt === undefined ? 'w' : 'r+', 0o600);
    if (goOnAt !== undefined) this.#goOnAt(goOnAt);
    this.#own = [path, beside].map((one) => {
      const stat = emptyStat();
      nodeStatCalls.stat(one, stat);
      return stat;
    });
  }

  /** Bytes that were added. */
  get bytes(): number {
    return this.#flushed + this.#used;
  }

  /** True if it is this file or the one beside it: a backup of their folder passes over them. */
  isOwn({ inode, device }: FileStat): boolean {
    for (const own of this.#own) if (own.inode === inode && own.device === device) return true;
    return false;
  }

  /** @param line a byte string without a newline */
  add(line: string): void {
    if (this.#used + line.length + 1 > BLOCK_BYTES) this.flush();
    this.#used += writeByteText(this.#block, this.#used, line);
    this.#block[this.#used++] = NEWLINE;
  }

  addBytes(block: Uint8Array, start: number, end: number): void {
    if (this.#used + end - start + 1 > BLOCK_BYTES) this.flush();
    for (let at = start; at < end; at++) this.#block[this.#used++] = block[at]!;
    this.#block[this.#used++] = NEWLINE;
  }

  /** Hands what was added to the system. */
  flush(): void {
    for (let at = 0; at < this.#used;) {
      at += writeSync(this.#fd, this.#block, at, this.#used - at, this.#flushed + at);
    }
    this.#flushed += this.#used;
    this.#used = 0;
  }

  /** Writes what is left and waits until it is on the disk. */
  close(): void {
    this.flush();
    fsyncSync(this.#fd);
    closeSync(this.#fd);
  }

  #goOnAt(bytes: number): void {
    if (fstatSync(this.#fd).size < bytes) throw new Error('The listing was cut short');
    ftruncateSync(this.#fd, bytes);
    this.#flushed = bytes;
  }
}
