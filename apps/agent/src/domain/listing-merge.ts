import { compareArchivePaths, isWithin } from '#archive/archive-order.js';
import { listingLineSays, pathOfListingLine, type FoundEntry } from '#archive/listing-line.js';
import type { ByteString } from '#archive/path-text.js';

/** The listing that an incremental builds on cannot be trusted; without it the next backup is a full. */
export class DamagedListing extends Error {
  override readonly name = 'DamagedListing';
}

/** Lines of a file, one after the other. */
export interface Lines {
  /**
   * Goes on to the next line. False behind the last one.
   * @throws DamagedListing if the file ends within a line
   */
  next(): boolean;
  /** The present line without its newline; its bytes are those of `block` from `start` to `end`. */
  text(): ByteString;
  readonly block: Uint8Array;
  readonly start: number;
  readonly end: number;
}

/** Takes the bytes of a line, without a newline. */
export interface LineTarget {
  addBytes(block: Uint8Array, start: number, end: number): void;
}

/**
 * Merges a walk in archive order with the listing of the base image, which has the same order. Memory: one line.
 * The walk must call `takeSame` and `advanceTo` with rising paths, and `finish` at its end. All throw DamagedListing.
 */
export class ListingMerge {
  #isThere: boolean;
  /** The present line, once it was looked at, and its path. */
  #line: ByteString | undefined;
  #path: ByteString = '';
  /** The path of the line before. */
  #before: ByteString | undefined;

  /** @param onGone is told the path of each entry that the walk has passed without meeting it */
  constructor(
    private readonly lines: Lines,
    private readonly onGone: (path: ByteString) => void,
  ) {
    this.#isThere = lines.next();
  }

  /**
   * Where the base image's next line says of this path just what was found, hands it over and goes on: the quick way for
   * what has not changed. Else nothing has happened, and `advanceTo` knows.
   */
  takeSame(path: ByteString, found: FoundEntry, to: LineTarget): boolean {
    const { lines } = this;
    if (!this.#isThere || !listingLineSays(lines.block, lines.start, path, found)) return false;
    to.addBytes(lines.block, lines.start, lines.end);
    this.#goOn(path);
    return true;
  }

  /** The base image's line of this path, if it has one. */
  advanceTo(path: ByteString): ByteString | undefined {
    for (let line = this.#look(); line !== undefined; line = this.#look()) {
      const at = this.#path;
      const order = compareArchivePaths(at, path);
      if (order > 0) return undefined;
      this.#goOn(at);
      if (order === 0) return line;
      this.onGone(at);
    }
    return undefined;
  }

  /**
   * Passes over what lies at or below `path` without calling it gone: the walk could not look there. Call
   * it instead of, or after, `advanceTo(path)`.
   */
  keepWithin(path: ByteString, onKept: (line: ByteString) => void): void {
    while (this.#look() !== undefined && compareArchivePaths(this.#path, path) < 0) {
      this.onGone(this.#path);
      this.#goOn(this.#path);
    }
    for (let line = this.#look(); line !== undefined; line = this.#look()) {
      if (!isWithin(this.#path, path)) return;
      onKept(line);
      this.#goOn(this.#path);
    }
  }

  /** Passes over the lines up to that of `path` and its own: an earlier walk has dealt with them. */
  skipThrough(path: ByteString): void {
    while (this.#look() !== undefined && compareArchivePaths(this.#path, path) <= 0) {
      this.#goOn(this.#path);
    }
  }

  finish(): void {
    while (this.#look() !== undefined) {
      this.onGone(this.#path);
      this.#goOn(this.#path);
    }
  }

  /** The present line, if there is one, with its path. */
  #look(): ByteString | undefined {
    if (!this.#isThere || this.#line !== undefined) return this.#line;
    const line = this.lines.text();
    this.#path = pathOf(line);
    if (this.#before !== undefined && compareArchivePaths(this.#before, this.#path) >= 0) {
      throw new DamagedListing('The listing of the base image is out of order');
    }
    this.#line = line;
    return line;
  }

  /** @param path that of the present line */
  #goOn(path: ByteString): void {
    this.#before = path;
    this.#line = undefined;
    this.#isThere = this.lines.next();
  }
}

function pathOf(line: ByteString): ByteString {
  try {
    return pathOfListingLine(line);
  } catch (error) {
    throw new DamagedListing('The listing of the base image is damaged', { cause: error });
  }
}
