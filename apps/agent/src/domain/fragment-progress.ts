import { fragmentBytesMaxAt } from '#transfer/fragment-bytes.js';
import { hasRoomForFrame, type FragmentFill } from './fragment-room.js';

const NEWLINE = 0x0a;
const NOTHING = new Uint8Array(0);

/**
 * How far the open fragment has come, told all that comes of an archive and its index: which lines belong to which
 * fragment, and where one ends. Whoever is told the same comes to the same.
 */
export class FragmentProgress {
  /** The open fragment takes no further frame: `cut` comes next. */
  isFull = false;

  #fill: FragmentFill = EMPTY;
  /** The entry whose line, so far, stands in the last fragment: its final line must not follow. */
  #owed = false;
  #pending = '';
  #number: number;

  /**
   * @param frameBytes archive bytes of each frame but the last
   * @param fragmentBytesMax the storage unit's limit
   * @param number of the open fragment: of the image's first, or where it is gone on with
   */
  constructor(
    private readonly frameBytes: number,
    private readonly fragmentBytesMax: number,
    number: number,
  ) {
    this.#number = number;
  }

  get frames(): number {
    return this.#fill.frames;
  }

  /** A frame, with the index lines and the pending line that came with it. @returns those of the lines that count */
  frame(storedBytes: number, lines: Uint8Array, pending: string): Uint8Array {
    this.#pending = pending;
    const own = this.lines(lines);
    const { storedBytes: before, frames, indexTextBytes } = this.#fill;
    this.#fill = { storedBytes: before + storedBytes, frames: frames + 1, indexTextBytes };
    const bytesMax = fragmentBytesMaxAt(this.#number, this.fragmentBytesMax);
    this.isFull = !hasRoomForFrame(this.#fill, this.frameBytes, bytesMax);
    return own;
  }

  /** Whole index lines of entries before the end of the last frame, or of no entry. @returns those that count */
  lines(lines: Uint8Array): Uint8Array {
    let own = lines;
    if (this.#owed && lines.length > 0) {
      own = lines.subarray(lines.indexOf(NEWLINE) + 1);
      this.#owed = false;
    }
    this.#fill = { ...this.#fill, indexTextBytes: this.#fill.indexTextBytes + own.length };
    return own;
  }

  /** Ends the fragment. @returns its last line, of the entry that it ends in; or nothing */
  cut(): Uint8Array {
    const ends = this.#pending !== '' && !this.#owed;
    if (ends) this.#owed = true;
    this.#fill = EMPTY;
    this.#number += 1;
    this.isFull = false;
    return ends ? Buffer.from(this.#pending, 'latin1') : NOTHING;
  }
}

const EMPTY: FragmentFill = { storedBytes: 0, frames: 0, indexTextBytes: 0 };
