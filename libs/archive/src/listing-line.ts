import { fromPathTextBytes, type ByteString } from './path-text.js';

/**
 * What the agent remembers of an entry between backups (see docs/formats.md, "Listing"): a line without a newline, as
 * a byte string. The type in its `commonColumns` is that of the inode, never `h`.
 * @param ctimeNs Nanoseconds, decimal; `0` where the entry must count as changed next time.
 */
export function listingLine(
  columns: ByteString,
  ctimeNs: string,
  place: { readonly inode: number | string; readonly device: number | string },
): ByteString {
  return `${columns}\t${ctimeNs}\t${place.inode}\t${place.device}`;
}

/** The path of a line. @throws Error if it is not a line of a listing. */
export function pathOfListingLine(line: ByteString): ByteString {
  const end = line.indexOf('\t', 2);
  if (end < 0 || line.charCodeAt(1) !== 0x09) throw new Error('Not a line of a listing');
  return fromPathTextBytes(line.slice(2, end));
}

/**
 * True if nothing that counts differs: type, path, size, times, mode, owner and inode. The device's
 * number does not count, since it may change with each boot.
 */
export function sameInListing(a: ByteString, b: ByteString): boolean {
  if (a === b) return true;
  const end = a.lastIndexOf('\t');
  return end === b.lastIndexOf('\t') && a.slice(0, end) === b.slice(0, end);
}

/** What a walk has found of an entry. Whole numbers; times in seconds and nanoseconds. */
export interface FoundEntry {
  readonly type: string;
  /** Of a file. */
  readonly size: number;
  readonly mtimeSeconds: number;
  readonly mtimeNanos: number;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly ctimeSeconds: number;
  readonly ctimeNanos: number;
  /** Decimal text where it is beyond what a number can hold. */
  readonly inode: number | string;
}

/**
 * True if the line that begins there says of the path just what was found: then `sameInListing` is true, too. It compares
 * bytes with numbers and makes no text, for the many that have not changed. False is no answer: a path that is escaped, a
 * time before 1970 or a number of more than 15 digits are left to `sameInListing`.
 */
export function listingLineSays(
  block: Uint8Array,
  start: number,
  path: ByteString,
  found: FoundEntry,
): boolean {
  fields.begin(block, start);
  return (
    fields.isText(found.type) &&
    fields.isText(path) &&
    fields.number(10) === (found.type === 'f' ? found.size : 0) &&
    fields.isTime(found.mtimeSeconds, found.mtimeNanos) &&
    fields.number(8) === found.mode &&
    fields.number(10) === found.uid &&
    fields.number(10) === found.gid &&
    fields.isTime(found.ctimeSeconds, found.ctimeNanos) &&
    fields.number(10) === found.inode
  );
}

const TAB = 0x09;
const SPACE = 0x20;
const BACKSLASH = 0x5c;
const ZERO = 0x30;
/** A number of so many digits is exact. */
const DIGITS_MAX = 15;
const DIGITS_OF_NANOS = 9;

/** The fields of a line, one after the other, each with the tab behind it. */
class Fields {
  #block: Uint8Array = new Uint8Array();
  #at = 0;

  begin(block: Uint8Array, start: number): void {
    this.#block = block;
    this.#at = start;
  }

  /** False, too, where a byte of it stands for another one. */
  isText(text: ByteString): boolean {
    const block = this.#block;
    let at = this.#at;
    for (let index = 0; index < text.length; index++, at++) {
      const byte = text.charCodeAt(index);
      if (block[at] !== byte || byte < SPACE || byte === BACKSLASH) return false;
    }
    this.#at = at + 1;
    return block[at] === TAB;
  }

  /** Not a number where there is none, or one of too many digits. */
  number(radix: 8 | 10): number {
    const end = this.#endOfDigits(radix);
    const start = this.#at;
    this.#at = end + 1;
    const isExact = end > start && end - start <= DIGITS_MAX;
    return isExact && this.#block[end] === TAB ? this.#value(start, end, radix) : Number.NaN;
  }

  /** Nanoseconds since 1970. */
  isTime(seconds: number, nanos: number): boolean {
    const end = this.#endOfDigits(10);
    const start = this.#at;
    const middle = end - DIGITS_OF_NANOS;
    this.#at = end + 1;
    return (
      middle > start &&
      middle - start <= DIGITS_MAX &&
      this.#block[end] === TAB &&
      this.#value(start, middle, 10) === seconds &&
      this.#value(middle, end, 10) === nanos
    );
  }

  #endOfDigits(radix: 8 | 10): number {
    let end = this.#at;
    for (;;) {
      const digit = this.#block[end]! - ZERO;
      if (!(digit >= 0 && digit < radix)) return end;
      end += 1;
    }
  }

  #value(start: number, end: number, radix: 8 | 10): number {
    let value = 0;
    for (let at = start; at < end; at++) value = value * radix + this.#block[at]! - ZERO;
    return value;
  }
}

/** One for all lines: nothing waits between them. */
const fields = new Fields();
