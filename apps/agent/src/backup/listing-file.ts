import { closeSync, fsyncSync, openSync, readSync, writeSync } from 'node:fs';
import { open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';

import { writeByteText } from '#archive/byte-text.js';

import { DamagedListing } from '../domain/listing-merge.js';

import { emptyStat, nodeStatCalls } from './reader/file-stat.js';

const BLOCK_BYTES = 256 * 1024;

/** The file that a listing is written to until its image is complete. */
export function listingPartPath(listingPath: string): string {
  return `${listingPath}.part`;
}

/**
 * Makes the new listing the listing of its image. To be called only when the media server has said that the image
 * is complete: an incremental that builds on it trusts that its files are stored.
 */
export async function commitListing(listingPath: string): Promise<void> {
  await rename(listingPartPath(listingPath), listingPath);
  const folder = await open(dirname(listingPath));
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

/** Gives up a listing that was not committed. */
export async function discardListing(listingPath: string): Promise<void> {
  await rm(listingPartPath(listingPath), { force: true });
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

/** Writes a listing, blocking, a block at a time. */
export class ListingWriter {
  /** Which file this is, so that a backup of the folder around it passes over it. */
  readonly inode: string;
  /** `major:minor` */
  readonly device: string;

  readonly #fd: number;
  readonly #block = Buffer.alloc(BLOCK_BYTES);
  #used = 0;

  constructor(path: string) {
    this.#fd = openSync(path, 'w', 0o600);
    const stat = emptyStat();
    nodeStatCalls.fstat(this.#fd, stat);
    this.inode = stat.inode;
    this.device = stat.device;
  }

  /** @param line a byte string without a newline */
  add(line: string): void {
    if (this.#used + line.length + 1 > BLOCK_BYTES) this.#flush();
    this.#used += writeByteText(this.#block, this.#used, line);
    this.#block[this.#used++] = 0x0a;
  }

  /** Writes what is left and waits until it is on the disk. */
  close(): void {
    this.#flush();
    fsyncSync(this.#fd);
    closeSync(this.#fd);
  }

  #flush(): void {
    for (let at = 0; at < this.#used;) {
      at += writeSync(this.#fd, this.#block, at, this.#used - at);
    }
    this.#used = 0;
  }
}
