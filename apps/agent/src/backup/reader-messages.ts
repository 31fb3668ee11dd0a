import type { Note, NoteCounts } from '../domain/notes.js';

import type { SharedRing } from './buffer-ring.js';
import type { PackedChunks } from './chunks/chunk-cutter.js';
import type { Chunking } from './fragment-sink.js';
import type { ReaderState } from './reader-state.js';

/** What the reading thread is started with. Paths are byte strings, but for those of listings. */
export interface ReaderJob {
  readonly ring: SharedRing;
  /** If set, buffers are raw frames, and the archive is cut into chunks; else they hold archive bytes and nothing else. */
  readonly chunking: ReaderChunking | undefined;
  readonly selections: readonly string[];
  readonly excludes: readonly string[];
  readonly crossMountPoints: boolean;
  readonly baseListingPath: string | undefined;
  readonly newListingPath: string;
  /** Holds what has become of hard links, if the thread goes on with an image. */
  readonly checkpointPath: string;
  /** Where an earlier thread stood; undefined: from the beginning. */
  readonly goOn: ReaderState | undefined;
  readonly hardLinksTrackedMax: number;
  /** Files that are read before another thread reads ahead. */
  readonly readAheadAfter: number | undefined;
}

export type ReaderChunking = Omit<Chunking, 'heldBytesMax'> & {
  readonly fragmentBytesMax: number;
  /** The number of the first fragment that is made. */
  readonly nextFragment: number;
  readonly knownCutsPath: string;
};

export interface ReaderTotals {
  /** False: none of the selections exists, and nothing was written. */
  readonly found: boolean;
  readonly files: number;
  readonly bytes: number;
  /** Entries that were looked at, changed or not; each piece of a large file (a buffer at most) counts as 16. */
  readonly work: number;
  readonly notes: NoteCounts;
}

/** What the reading thread says, in this order with the buffers that it fills. */
export type ReaderMessage =
  | {
      /** A buffer is full (or the last one). */
      readonly type: 'frame';
      readonly slot: number;
      /** Archive bytes. */
      readonly length: number;
      /** Of a raw frame: the chunks that it ends. */
      readonly chunks: PackedChunks | undefined;
      /** The buffer, when this is the first time that it is full. */
      readonly made: SharedArrayBuffer | undefined;
      /** Whole index lines of entries whose header begins in this buffer or before. */
      readonly index: Uint8Array;
      /**
       * The line, so far, of the entry that was begun but is not complete; else empty. When it is complete its
       * line is the first of the index text that follows.
       */
      readonly pending: string;
      readonly state: ReaderState;
      /** What has happened to hard links since the last buffer; see `HardLinks.takeJournal`. */
      readonly links: string;
    }
  /** Behind the last raw frame of a fragment: its last chunks. */
  | ({ readonly type: 'fragment' } & PackedChunks)
  /** Index lines that would not wait for the buffer: many deleted files, long names. */
  | { readonly type: 'index'; readonly text: Uint8Array }
  | { readonly type: 'note'; readonly note: Note }
  | {
      readonly type: 'progress';
      readonly files: number;
      readonly bytes: number;
      /** Path text. */
      readonly path: string;
    }
  | { readonly type: 'end'; readonly totals: ReaderTotals }
  | { readonly type: 'failed'; readonly reason: ReaderFailure };

export interface ReaderFailure {
  readonly kind: 'permanent' | 'damaged-listing' | 'stopped' | 'other';
  readonly message: string;
  readonly status: number;
  readonly field: string | undefined;
  readonly stack: string | undefined;
}
