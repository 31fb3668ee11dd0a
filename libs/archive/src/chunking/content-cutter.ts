import { blake3 } from '#kernel/blake3.js';
import { GearCutter } from './gear-cutter.js';
import type { CutMemory, KnownChunk } from './known-cuts.js';

/**
 * Cuts one content by what it holds (`GearCutter`). Where a chunk is followed by what followed it before, that one's
 * cut is known: it is enough to see that the bytes are the same, which is a third of the work. What is remembered never
 * changes a cut.
 */
export class ContentCutter {
  readonly #gear = new GearCutter();
  /** Bytes behind the last cut. */
  #held: Buffer[] = [];
  #heldBytes = 0;
  /** Of these pieces, so many from the beginning hold no cut, and so many bytes are in them. */
  #searched = 0;
  #searchedBytes = 0;
  #begin = 0;
  #last: string | undefined;
  #expected: KnownChunk | undefined;

  /**
   * @param cut is told where each chunk ends; with a memory, also its BLAKE3
   */
  constructor(
    private readonly cut: (end: number, id?: Buffer) => void,
    private readonly memory?: CutMemory,
  ) {}

  /** Another content begins, at this place. */
  begin(at: number): void {
    this.#begin = at;
    this.#held = [];
    this.#heldBytes = 0;
    this.#searchAgain();
    this.#last = undefined;
    this.#expected = undefined;
  }

  /** Takes the next piece, which must not change before all chunks in it have been cut. */
  push(piece: Buffer): void {
    this.#held.push(piece);
    this.#heldBytes += piece.length;
    while (this.#heldBytes > 0 && this.#cutNext());
  }

  /** Nothing follows. What is behind the last cut is the last chunk, which nobody is told of. */
  end(): void {
    this.#expected = undefined;
    while (this.#heldBytes > 0 && this.#cutNext());
  }

  /** False: there is no cut in what is held, or nobody can say yet. */
  #cutNext(): boolean {
    const expected = this.#expected;
    if (expected) {
      if (this.#heldBytes < expected.length) return false;
      const id = blake3(this.#first(expected.length));
      if (id.toString('latin1') === expected.id) return this.#cutAt(expected.length, id);
      this.#expected = undefined;
    }
    const length = this.#search();
    if (length === undefined) return false;
    return this.#cutAt(length, this.memory && blake3(this.#first(length)));
  }

  #cutAt(length: number, id: Buffer | undefined): true {
    this.#drop(length);
    this.#searchAgain();
    this.#begin += length;
    if (id && this.memory) this.#remember(this.memory, { id: id.toString('latin1'), length });
    this.cut(this.#begin, id);
    return true;
  }

  #remember(memory: CutMemory, chunk: KnownChunk): void {
    if (this.#last !== undefined) memory.learn(this.#last, chunk);
    this.#last = chunk.id;
    this.#expected = memory.after(chunk.id);
  }

  /** @returns the length of the next chunk, if it ends in what is held */
  #search(): number | undefined {
    for (; this.#searched < this.#held.length; this.#searched += 1) {
      const piece = this.#held[this.#searched]!;
      const cut = this.#gear.take(piece, 0, piece.length);
      if (cut >= 0) return this.#searchedBytes + cut;
      this.#searchedBytes += piece.length;
    }
    return undefined;
  }

  #searchAgain(): void {
    this.#gear.restart();
    this.#searched = 0;
    this.#searchedBytes = 0;
  }

  #first(length: number): Buffer[] {
    const pieces: Buffer[] = [];
    let missing = length;
    for (const piece of this.#held) {
      if (missing <= 0) break;
      pieces.push(piece.subarray(0, missing));
      missing -= piece.length;
    }
    return pieces;
  }

  #drop(length: number): void {
    let [whole, bytes] = [0, 0];
    while (whole < this.#held.length && bytes + this.#held[whole]!.length <= length) {
      bytes += this.#held[whole]!.length;
      whole += 1;
    }
    this.#held.splice(0, whole);
    if (bytes < length) this.#held[0] = this.#held[0]!.subarray(length - bytes);
    this.#heldBytes -= length;
  }
}
