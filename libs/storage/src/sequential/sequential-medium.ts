/** The most that one block holds. */
export const BLOCK_BYTES_MAX = 1024 * 1024;

declare const permitted: unique symbol;

/**
 * The only value by which a volume can be written from its beginning, which gives up all that it
 * holds. `permitRecycling` alone makes one, for one cartridge with the label that it bears now.
 */
export interface RecyclePermit {
  readonly [permitted]: true;
  readonly barcode: string;
  /** The first block that it has to have, byte for byte; undefined for one that is blank. */
  readonly label: Buffer | undefined;
}

/** What lies at a position: a block of data, a file mark, or nothing any more. */
export type MediumRecord =
  | { readonly type: 'block'; readonly bytes: Buffer }
  | { readonly type: 'mark' }
  | { readonly type: 'end' };

/**
 * A volume in a drive: blocks and file marks one after the other, numbered from 0. Its laws, proved
 * for every adapter by `testing/describe-media-library.ts`:
 *
 * 1. Data is added at its end and nowhere else. Nothing that was written changes, but for all of it
 *    at once by `begin`.
 * 2. `mark` is durable when it has resolved, and with it all that was written before. What is behind
 *    the last mark may be there or not after a crash; whatever of it is there reads as it was
 *    written or fails.
 * 3. `begin` needs a permit for this very cartridge with this very label, and leaves either what was
 *    there before, whole, or the new label alone.
 * 4. A block that does not fit any more is refused as a whole with `EndOfMedium`, while there is still
 *    room for a mark.
 * 5. A read gives a record exactly as it was written, or fails with `BlockUnreadable`. Positions
 *    beyond the end of data cannot be located.
 * 6. After a write that failed (but for the end of the medium) nothing more is written until the
 *    volume is opened again.
 *
 * Calls come one at a time.
 */
export interface SequentialMedium {
  readonly barcode: string;
  /** Bytes that it holds as its maker says; what really fits may be less. */
  readonly capacityBytes: number;
  /** Bytes of its capacity that are used up, marks left out. */
  readonly writtenBytes: number;
  /** The position behind the last record. */
  readonly endOfData: number;
  /** Writes a block of 1 to `BLOCK_BYTES_MAX` bytes at the end of data. */
  append(block: Buffer): Promise<void>;
  /** Writes a file mark at the end of data. */
  mark(): Promise<void>;
  /** Goes to a position, from 0 to `endOfData`. */
  locate(position: number): Promise<void>;
  /** Reads the record at the position and goes behind it. */
  next(): Promise<MediumRecord>;
  /** Gives up all that it holds and makes `label` its only block, with a mark behind it. */
  begin(permit: RecyclePermit, label: Buffer): Promise<void>;
  close(): Promise<void>;
}

/** A drive of a library. One who works with the volume in it at a time. */
export interface TapeDrive {
  /** Opens the volume in it. Throws `DriveUnusable` where there is none, or where it is open. */
  open(): Promise<SequentialMedium>;
}
