/** Where a chunk lies: a container, and which of its chunks it is. */
export interface Place {
  readonly container: string;
  readonly ordinal: number;
}

/** A set of chunks by their places: one bit for each chunk of the containers that it names. */
export class ChunkMap {
  private readonly bits = new Map<string, Uint8Array>();

  add({ container, ordinal }: Place): void {
    const at = ordinal >> 3;
    let bits = this.bits.get(container);
    if (!bits || bits.length <= at) {
      const longer = new Uint8Array(Math.max(at + 1, 2 * (bits?.length ?? 32)));
      longer.set(bits ?? []);
      bits = longer;
      this.bits.set(container, bits);
    }
    bits[at]! |= 1 << (ordinal & 7);
  }

  has({ container, ordinal }: Place): boolean {
    return (((this.bits.get(container)?.[ordinal >> 3] ?? 0) >> (ordinal & 7)) & 1) === 1;
  }

  containers(): Iterable<string> {
    return this.bits.keys();
  }

  /** Those of one container, ascending. */
  *ordinals(container: string): Iterable<number> {
    const bits = this.bits.get(container) ?? new Uint8Array();
    for (let at = 0; at < bits.length; at += 1) {
      if (bits[at] === 0) continue;
      for (let bit = 0; bit < 8; bit += 1) if ((bits[at]! >> bit) & 1) yield at * 8 + bit;
    }
  }

  /** The chunks of `from` lie somewhere else now. */
  move(from: string, newPlace: (ordinal: number) => Place): void {
    if (!this.bits.has(from)) return;
    const ordinals = [...this.ordinals(from)];
    this.bits.delete(from);
    for (const ordinal of ordinals) this.add(newPlace(ordinal));
  }
}
