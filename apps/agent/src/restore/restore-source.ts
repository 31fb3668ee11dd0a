import { PermanentError } from '#kernel/errors.js';
import { freeBytes } from '#kernel/free-bytes.js';
import { STATUS } from '#kernel/status.js';

/** A range of one of a fragment's two objects. Bytes. */
export interface FragmentRead {
  readonly fragmentId: string;
  readonly object: 'data' | 'index';
  readonly offset: number;
  readonly length: number;
}

/**
 * Where the fragments of a chain are read from. Laws:
 * - the buffers of one read, put together, are exactly the range that was asked for, or the iteration throws; they
 *   belong to whoever asked alone, who may free them (`freeBytes`), or are where they belong in `into`, which is as
 *   long as the range; that may be written to as long as anybody holds it, also behind an error;
 * - several reads may be under way; whoever asks begins to take the answer at once and takes all of it, so an
 *   adapter may answer in the order in which it was asked;
 * - an error that extends `PermanentError` concerns this range only (a lost fragment): another source takes over, or
 *   the restore goes on without it. `Unavailable` says that the whole source is out of reach; it ends the restore
 *   when nothing else can be reached either. Any other error ends the restore.
 */
export interface FragmentReader {
  read(range: FragmentRead, into?: Buffer): AsyncIterable<Buffer>;
  /**
   * Archive bytes of a fragment whose frames are not stored, but made of chunks: exactly the range, in memory of
   * its own. Undefined for any other fragment: its frames have to be read.
   */
  readArchive?(range: ArchiveRead): Promise<Buffer<ArrayBuffer> | undefined>;
}

/** A range of what a fragment holds of its archive. Bytes; 0 is where the fragment begins. */
export interface ArchiveRead {
  readonly fragmentId: string;
  readonly offset: number;
  readonly length: number;
}

/** Where a fragment lies in one copy of its image. */
export interface FragmentSource {
  readonly fragmentId: string;
  readonly copy: number;
  readonly mediaId: string;
}

/** A fragment, which is the same in every copy, as the catalog knows it. Sizes and offsets in bytes. */
export interface RestoreFragment {
  readonly number: number;
  /** The best first; at least one. */
  readonly sources: readonly FragmentSource[];
  readonly archiveOffset: number;
  readonly archiveBytes: number;
  readonly storedBytes: number;
  readonly indexBytes: number;
  /** BLAKE3 of the whole index, hex. */
  readonly indexDigest: string;
}

/** One image of a chain with its fragments, in order. */
export interface RestoreImage {
  readonly imageId: string;
  readonly fragments: readonly RestoreFragment[];
  /** Numbers of fragments that are in no copy any more. */
  readonly lost?: readonly number[];
  /** Which stream of the run it belongs to, counted from 0; images of one stream lie side by side. */
  readonly stream?: number;
}

/** The whole range in one buffer. @throws PermanentError if fewer or more bytes come than were asked for. */
export async function readRange(
  source: FragmentReader,
  range: FragmentRead,
): Promise<Buffer<ArrayBuffer>> {
  // Never from Node's pool: the bytes live as long as the slowest frame that is cut from them.
  const whole = Buffer.allocUnsafeSlow(range.length);
  let at = 0;
  for await (const piece of source.read(range, whole)) {
    const end = at + piece.length;
    if (end > range.length) throw shortOrLong(range, end);
    if (piece.buffer !== whole.buffer) {
      whole.set(piece, at);
      freeBytes(piece);
    }
    at = end;
  }
  if (at !== range.length) throw shortOrLong(range, at);
  return whole;
}

function shortOrLong(range: FragmentRead, got: number): PermanentError {
  return new PermanentError(
    STATUS.mediaReadError,
    `Fragment ${range.fragmentId}: ${range.length} bytes of ${range.object} were asked for at ${range.offset}, ${got} came.`,
  );
}
