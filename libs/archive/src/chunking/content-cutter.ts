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
  /** Bytes behind the last cut, of which the first `#searched` hold none. */
  #held: Buffer[] = [];
  #heldBytes = 0;
  #searched = 0;
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
    this.#gear.restart();
    this.#begin = at;
    this.#held = [];
    this.#heldBytes = 0;
    this.#searched = 0;
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
      const id = blake3(...this.#first(expected.length));
      if (id.toString('latin1') === expected.id) return this.#cutAt(expected.length, id);
      this.#expected = undefined;
    }
    const length = this.#search();
    if (length === undefined) return false;
    return this.#cutAt(length, this.memory && blake3(...this.#first(length)));
  }

  #cutAt(length: number, id: Buffer | undefined): true {
    this.#drop(length);
    this.#gear.restart();
    this.#searched = 0;
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
    let at = 0;
    for (const piece of this.#held) {
      const from = Math.max(0, this.#searched - at);
      if (from < piece.length) {
        const cut = this.#gear.take(piece, from, piece.length);
        if (cut >= 0) return at + cut;
      }
      at += piece.length;
    }
    this.#searched = at;
    return undefined;
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
    let missing = length;
    while (missing > 0) {
      const first = this.#held[0]!;
      if (first.length > missing) this.#held[0] = first.subarray(missing);
      else this.#held.shift();
      missing -= first.length;
    }
    this.#heldBytes -= length;
  }
}
