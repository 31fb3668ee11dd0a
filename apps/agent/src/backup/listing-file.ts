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

import { DamagedListing } from '../domain/listing-merge.js';

import { emptyStat, nodeStatCalls, type FileStat } from './reader/file-stat.js';

const BLOCK_BYTES = 256 * 1024;

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

/** Reads a listing line by line, blocking, a block at a time. */
export class ListingReader {
  readonly #fd: number;
  readonly #block = Buffer.alloc(BLOCK_BYTES);
  #lines: string[] = [];
  #next = 0;
  #rest = '';

  constructor(path: string) {
    this.#fd = openSync(path, 'r');
  }

  /** The next line without its newline. @throws DamagedListing if the file ends within a line. */
  next(): string | undefined {
    while (this.#next >= this.#lines.length) {
      const bytes = readSync(this.#fd, this.#block, 0, BLOCK_BYTES, null);
      if (bytes === 0) {
        if (this.#rest !== '')
          throw new DamagedListing('The listing of the base image is cut short');
        return undefined;
      }
      this.#lines = (this.#rest + this.#block.toString('latin1', 0, bytes)).split('\n');
      this.#rest = this.#lines.pop()!;
      this.#next = 0;
    }
    return this.#lines[this.#next++];
  }

  close(): void {
    closeSync(this.#fd);
  }
}

export interface ListingWriterOptions {
  /** Another file that grows while the client is read. */
  readonly beside: string;
  /** Bytes of the listing, left by an earlier backup, behind which to go on; what follows is cut. */
  readonly goOnAt?: number | undefined;
}

/** Writes a listing, blocking, a block at a time. */
export class ListingWriter {
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
    this.#block[this.#used++] = 0x0a;
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
