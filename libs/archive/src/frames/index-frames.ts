import { messageOf } from '#kernel/errors.js';
import { INDEX_FRAME_BYTES_MAX } from '../index-line.js';
import { isFrameOf } from './frame-bound.js';
import { isFrameTable } from './frame-table.js';
import { zstdFrameAt, type ZstdFrame } from './zstd-frame-end.js';

const HEADER_BYTES = 8;
/** A frame of lines is hardly larger than its text; where twice that has no end something is wrong. */
const STORED_FRAME_BYTES_MAX = 2 * INDEX_FRAME_BYTES_MAX;

/** The bytes of an index are not those of one. The message goes on after "the index is damaged: ". */
export class IndexDamage extends Error {
  override readonly name = 'IndexDamage';
}

/**
 * Cuts an index, in pieces of any size, into its frames of lines. Laws:
 *
 * - Every byte of an index belongs to a frame of lines or to the frame table, with which it ends. Anything else is
 *   `IndexDamage`: nothing is passed over.
 * - A frame that is handed on may be unpacked without fear for the memory: it states no size above
 *   `INDEX_FRAME_BYTES_MAX`, and its blocks cannot come to more than some MiB (`isFrameOf`).
 * - It holds one frame of lines at most, and nothing of the table.
 */
export class IndexFrames {
  private held: Buffer = Buffer.alloc(0);
  /** Of the frame table, what is still to come; undefined in front of it. */
  private tableLeft: number | undefined;

  /** @param tableBytes of the frame table, where that is known */
  constructor(private readonly tableBytes?: number) {}

  /** The frames, as they are stored, that are whole now; take all of them. @throws IndexDamage after the last good one */
  *push(piece: Buffer): Generator<Buffer, void, undefined> {
    let rest = this.held.length === 0 ? piece : Buffer.concat([this.held, piece]);
    this.held = Buffer.alloc(0);
    while (this.tableLeft === undefined && rest.length >= HEADER_BYTES) {
      if (isFrameTable(rest)) {
        this.tableLeft = this.tableAt(rest);
        break;
      }
      const frame = frameAt(rest);
      if (frame === undefined || frame.bytes > rest.length) {
        if (rest.length <= STORED_FRAME_BYTES_MAX) break;
        throw new IndexDamage('a frame has no end');
      }
      const stored = rest.subarray(0, frame.bytes);
      checkSize(frame, stored);
      yield stored;
      rest = rest.subarray(frame.bytes);
    }
    if (this.tableLeft === undefined) {
      this.held = rest;
      return;
    }
    this.tableLeft -= rest.length;
    if (this.tableLeft < 0) throw new IndexDamage('something stands behind its frame table');
  }

  /** Call it behind the last piece. @throws IndexDamage */
  end(): void {
    if (this.tableLeft === 0) return;
    if (this.tableLeft === undefined && this.held.length === 0) {
      throw new IndexDamage('it has no frame table at its end');
    }
    throw new IndexDamage('it ends in the middle of a frame');
  }

  private tableAt(bytes: Buffer): number {
    const size = HEADER_BYTES + bytes.readUInt32LE(4);
    if (this.tableBytes === undefined || size === this.tableBytes) return size;
    throw new IndexDamage('its frame table is that of another number of frames');
  }
}

function frameAt(bytes: Buffer): ZstdFrame | undefined {
  let frame: ZstdFrame | undefined;
  try {
    frame = zstdFrameAt(bytes, 0);
  } catch (error) {
    throw new IndexDamage(messageOf(error), { cause: error });
  }
  if (!frame?.skippable) return frame;
  throw new IndexDamage('a frame is neither lines nor the frame table');
}

/** Not every compressor states the size; what the blocks can come to is bounded then. */
function checkSize({ contentBytes = INDEX_FRAME_BYTES_MAX }: ZstdFrame, stored: Buffer): void {
  if (contentBytes <= INDEX_FRAME_BYTES_MAX && isFrameOf(stored, contentBytes)) return;
  throw new IndexDamage('a frame is too large, or damaged');
}
