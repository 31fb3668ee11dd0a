import type { ByteString } from '#archive/path-text.js';

/** Inodes with further links to come that are remembered; about 250 bytes each. */
export const HARD_LINKS_TRACKED_MAX = 1_000_000;

/** Where the data of an inode with several links was stored. */
export interface FirstLink {
  readonly path: ByteString;
  readonly offset: number;
  readonly length: number;
  /** Bytes of content. */
  readonly size: number;
}

/**
 * Remembers the first path of each inode that has several, until all its links were met. Bounded:
 * when it is full, inodes that are new to it are not remembered, and their links become files of their own.
 */
export class HardLinks {
  readonly #inodes = new Map<string, FirstLink & { linksLeft: number }>();
  #overflowed = false;

  constructor(private readonly trackedMax = HARD_LINKS_TRACKED_MAX) {}

  /** True once an inode was not remembered for lack of room. */
  get overflowed(): boolean {
    return this.#overflowed;
  }

  get tracked(): number {
    return this.#inodes.size;
  }

  /** The first link of this inode, if there was one; it is forgotten with the last link. */
  take(inode: string): FirstLink | undefined {
    const first = this.#inodes.get(inode);
    if (first && --first.linksLeft === 0) this.#inodes.delete(inode);
    return first;
  }

  /** @param links how many the inode has, this one included */
  add(inode: string, first: FirstLink, links: number): void {
    if (links < 2) return;
    if (this.#inodes.size >= this.trackedMax) {
      this.#overflowed = true;
      return;
    }
    this.#inodes.set(inode, { ...first, linksLeft: links - 1 });
  }
}
