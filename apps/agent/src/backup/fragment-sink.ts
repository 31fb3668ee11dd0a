import type { ChunkerStart } from '#archive/chunking/tar-chunker.js';
import type { NamedChunk } from '#transfer/chunk-messages.js';

/** How an archive is cut into chunks. */
export interface Chunking {
  /** Archive bytes of each raw frame but the last one of the image. */
  readonly frameBytes: number;
  /** Where the first fragment begins. */
  readonly start: ChunkerStart;
  /** Archive bytes in frames that the sink may hold before it calls their `gone`, while it waits for more. */
  readonly heldBytesMax: number;
}

/** The end of a fragment that was cut into chunks. */
export interface ChunksEnd {
  /** The last ones. */
  readonly chunks: readonly NamedChunk[];
  /** BLAKE3 (hex) of all of its raw frames and their seek table. */
  readonly dataDigest: string;
}

/** A Zstandard frame (or skippable frame) with its BLAKE3 (32 bytes). */
export interface DigestedBytes {
  readonly bytes: Buffer;
  readonly digest: Buffer;
}

/** A frame of a fragment's data. */
export interface DataFrame {
  /** Of a Zstandard frame, one behind the other. */
  readonly pieces: readonly Buffer[];
  /** BLAKE3 (32 bytes) of all of them. */
  readonly digest: Buffer;
  /** They are somebody else's memory: to be called once when they are not looked at any more. */
  readonly gone: () => void;
  /** Archive bytes in it. */
  readonly archiveLength: number;
  /** For a sink with `chunking`: the chunks of the archive, in order, that end in it and are not known yet. */
  readonly chunks?: readonly NamedChunk[] | undefined;
}

export interface FragmentSeal {
  /** 1 for the first fragment. */
  readonly number: number;
  readonly archiveOffset: number;
  readonly archiveBytes: number;
  readonly frames: number;
  readonly last: boolean;
}

export interface ImageTotals {
  readonly fragments: number;
  /** Entries in the archive. */
  readonly files: number;
  /** Bytes of content of regular files; the real size of sparse ones. */
  readonly bytes: number;
  readonly kind: string;
}

/**
 * Where a backup's fragments go. The caller keeps to this:
 * - one call at a time: the next one follows when the promise of the last one has resolved, but for `seal`:
 *   frames and index of the next fragment may follow while it is pending. Never two pending seals.
 * - `frame` and `index` belong to the open fragment; the last `index` before a `seal` is the frame table.
 * - `finish` comes once, after the last `seal` (with `last`) has resolved.
 * - after any rejection, or when the backup is aborted, nothing more is called; whoever made the sink
 *   closes it.
 *
 * The sink keeps to this: a call may take its time (that is the back-pressure); the bytes of `index` are the
 * sink's from the call on, those of `frame` until it calls `gone`; `seal` resolves when the fragment is
 * safe, `finish` when the image is complete.
 */
export interface FragmentSink {
  /** The storage unit's limit, seek table included; late fragments have more: `fragmentBytesMaxAt`. */
  readonly fragmentBytesMax: number;
  /** If set, frames are raw ones, in one piece, and come with the chunks in them: the sink decides what is sent. */
  readonly chunking?: Chunking | undefined;
  frame(frame: DataFrame): Promise<void> | void;
  /** For a sink with `chunking`: behind the last frame of each fragment, before its `seal`. */
  endChunks?(end: ChunksEnd): Promise<void>;
  index(block: DigestedBytes): Promise<void> | void;
  seal(fragment: FragmentSeal): Promise<void>;
  finish(totals: ImageTotals): Promise<void>;
}
