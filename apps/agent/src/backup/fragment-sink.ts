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
  /** If set, somebody else's memory is among them: to be called once when they are not looked at any more. */
  readonly gone?: (() => void) | undefined;
  /** Archive bytes in it. */
  readonly archiveLength: number;
  /** Archive bytes, padding and all, that are still to come of the entry that it ends in. */
  readonly entryLeft: number;
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
 * The sink keeps to this: a call may take its time (that is the back-pressure); the bytes of `frame` and `index` are
 * the sink's from the call on, those with a `gone` until it calls that; `seal` resolves when the fragment is
 * safe, `finish` when the image is complete.
 */
export interface FragmentSink {
  /** The storage unit's limit, seek table included. */
  readonly fragmentBytesMax: number;
  /**
   * If set, frames are raw ones, in one piece: the sink itself decides what is sent. Each but the last one of the image
   * holds so many archive bytes.
   */
  readonly bytesPerRawFrame?: number | undefined;
  /** Archive bytes in frames that it may hold before it calls their `gone`, while it waits for more. */
  readonly heldBytesMax?: number | undefined;
  frame(frame: DataFrame): Promise<void> | void;
  index(block: DigestedBytes): Promise<void> | void;
  seal(fragment: FragmentSeal): Promise<void>;
  finish(totals: ImageTotals): Promise<void>;
}
