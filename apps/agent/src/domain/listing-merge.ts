import { compareArchivePaths, isWithin } from '#archive/archive-order.js';
import { pathOfListingLine } from '#archive/listing-line.js';
import type { ByteString } from '#archive/path-text.js';

/** The listing that an incremental builds on cannot be trusted; without it the next backup is a full. */
export class DamagedListing extends Error {
  override readonly name = 'DamagedListing';
}

/**
 * Merges a walk in archive order with the listing of the base image, which has the same order. Memory: one line.
 * The walk must call `advanceTo` with rising paths, and `finish` at its end.
 */
export class ListingMerge {
  #line: ByteString | undefined;
  #path: ByteString = '';

  /**
   * @param nextLine the next line without its newline, undefined after the last one
   * @param onGone is told the path of each entry that the walk has passed without meeting it
   */
  constructor(
    private readonly nextLine: () => ByteString | undefined,
    private readonly onGone: (path: ByteString) => void,
  ) {
    this.#next();
  }

  /**
   * The base image's line of this path, if it has one.
   * @throws DamagedListing
   */
  advanceTo(path: ByteString): ByteString | undefined {
    for (;;) {
      if (this.#line === undefined) return undefined;
      const order = compareArchivePaths(this.#path, path);
      if (order > 0) return undefined;
      const line = this.#line;
      const at = this.#path;
      this.#next();
      if (order === 0) return line;
      this.onGone(at);
    }
  }

  /**
   * Passes over what lies at or below `path` without calling it gone: the walk could not look there. Call
   * it instead of, or after, `advanceTo(path)`.
   */
  keepWithin(path: ByteString, onKept: (line: ByteString) => void): void {
    while (this.#line !== undefined && compareArchivePaths(this.#path, path) < 0) {
      this.onGone(this.#path);
      this.#next();
    }
    while (this.#line !== undefined && isWithin(this.#path, path)) {
      onKept(this.#line);
      this.#next();
    }
  }

  /** Passes over the lines up to that of `path` and its own: an earlier walk has dealt with them. */
  skipThrough(path: ByteString): void {
    while (this.#line !== undefined && compareArchivePaths(this.#path, path) <= 0) this.#next();
  }

  finish(): void {
    while (this.#line !== undefined) {
      this.onGone(this.#path);
      this.#next();
    }
  }

  #next(): void {
    const before = this.#line === undefined ? undefined : this.#path;
    this.#line = this.nextLine();
    if (this.#line === undefined) return;
    this.#path = pathOf(this.#line);
    if (before !== undefined && compareArchivePaths(before, this.#path) >= 0) {
      throw new DamagedListing('The listing of the base image is out of order');
    }
  }
}

function pathOf(line: ByteString): ByteString {
  try {
    return pathOfListingLine(line);
  } catch (error) {
    throw new DamagedListing('The listing of the base image is damaged', { cause: error });
  }
}
