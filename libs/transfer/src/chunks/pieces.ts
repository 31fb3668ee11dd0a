/** Bytes that come in pieces of any size and are taken from the front, in pieces again, without a copy. */
export class Pieces {
  readonly #pieces: Buffer[] = [];

  push(...pieces: readonly Buffer[]): void {
    this.#pieces.push(...pieces);
  }

  /** The next `length` bytes, which must be there. */
  take(length: number): Buffer[] {
    const taken: Buffer[] = [];
    for (let missing = length; missing > 0;) {
      const first = this.#pieces[0]!;
      taken.push(first.subarray(0, missing));
      if (first.length > missing) this.#pieces[0] = first.subarray(missing);
      else this.#pieces.shift();
      missing -= Math.min(missing, first.length);
    }
    return taken;
  }
}
