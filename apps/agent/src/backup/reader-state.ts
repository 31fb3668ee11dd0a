import type { ByteString } from '#archive/path-text.js';
import type { EntryType } from '#archive/tar-block.js';

import type { NoteCounts } from '../domain/notes.js';

import type { FileStat } from './reader/file-stat.js';

/** What is known of an entry from its header to its end. */
export interface OpenEntry {
  /** Absolute. */
  readonly path: ByteString;
  /** As it is stored. */
  readonly stat: FileStat;
  readonly type: EntryType;
  /** Its place in the archive: of the first header block, bytes of headers, and of all with padding. */
  readonly offset: number;
  readonly headerBytes: number;
  readonly length: number;
  /** Bytes of content, the real size of a sparse file; 0 for a link. */
  readonly size: number;
  /** Letters of its index line. Those for changes while it is read come at its end. */
  flags: string;
  /** Its content is copied from the file piece by piece, and was not at hand with the header. */
  readonly fromFile: boolean;
  /** Of a sparse file: offset and length of each run of data, in turn. Shared, for it may be long. */
  readonly ranges: Float64Array | undefined;
  /** The file could not be read to its end: zeros stand in for the rest. */
  zeros: boolean;
  /** The next incremental has to store it again, whatever becomes of it. */
  readonly again: boolean;
}

/**
 * Where a reading thread stands at the end of a buffer, so that another one can go on as if it were
 * the same. Everything in front of that place is in the archive, the index texts that were sent,
 * and the first `listingBytes` of the listing.
 */
export interface ReaderState {
  /** Archive bytes so far. */
  readonly position: number;
  /** The entry to which the last byte belongs, which may be its last one; undefined at the archive's end. */
  readonly entry: OpenEntry | undefined;
  /** Archive bytes that come next and were at hand already. */
  readonly rest: Uint8Array;
  readonly listingBytes: number;
  /** Of the entries that are complete. */
  readonly files: number;
  readonly bytes: number;
  readonly notes: NoteCounts;
}

/** Archive bytes, padding and all, that are still to come of the entry. */
export function entryLeft({ entry, position }: Pick<ReaderState, 'entry' | 'position'>): number {
  return entry ? entry.offset + entry.length - position : 0;
}
