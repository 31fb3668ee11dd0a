import { commonColumns, type IndexLine } from './index-line.js';
import { fromPathTextBytes, type ByteString } from './path-text.js';

/** What the agent remembers of an entry between backups (see docs/formats.md, "Listing"). */
export interface ListingLine extends Pick<
  IndexLine,
  'type' | 'path' | 'size' | 'mtimeNs' | 'mode' | 'uid' | 'gid'
> {
  /** Nanoseconds, decimal; `0` where the entry must count as changed next time. */
  readonly ctimeNs: string;
  readonly inode: string;
  readonly device: string;
}

/** The line without a newline, as a byte string. The type is that of the inode, never `h`. */
export function encodeListingLine(line: ListingLine): ByteString {
  return `${commonColumns(line)}\t${line.ctimeNs}\t${line.inode}\t${line.device}`;
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
