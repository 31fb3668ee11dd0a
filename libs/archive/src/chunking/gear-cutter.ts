/** Sizes of chunks that are cut by content, in bytes; about 740 KiB on average. */
export const CUT_SIZES = {
  /** Nothing is cut before this, and nothing is looked at. */
  min: 256 * 1024,
  /** From here on a cut is eight times as likely. */
  usual: 768 * 1024,
  max: 2048 * 1024,
} as const;

/** A cut is where these bits of the hash are zero: every 2^20th, and every 2^17th place. */
const RARE = 0xfffff000 | 0;
const OFTEN = 0xffff8000 | 0;

/** A number of its own for each byte, by the finalizer of MurmurHash3. Other ones would cut elsewhere. */
const GEAR = Int32Array.from({ length: 256 }, (_, byte) => {
  let x = Math.imul(byte + 1, 0x9e3779b9);
  x = Math.imul(x ^ (x >>> 16), 0x85ebca6b);
  x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35);
  return x ^ (x >>> 16);
});

/**
 * Cuts bytes, which come in pieces, where the last 32 of them say so (Gear hash; two thresholds, as
 * FastCDC has them). So the same content is cut at the same places wherever it stands, but for what is near to
 * its beginning.
 */
export class GearCutter {
  /** Bytes since the last cut. */
  length = 0;
  #hash = 0;

  /** Begins a chunk here. */
  restart(): void {
    this.length = 0;
    this.#hash = 0;
  }

  /**
   * Takes `bytes` from `from` to `end`, as far as the next cut.
   * @returns the place of the cut (behind its last byte), which restarts it; -1: all was taken
   */
  take(bytes: Uint8Array, from: number, end: number): number {
    const { min, usual, max } = CUT_SIZES;
    const begin = from - this.length;
    let at = Math.max(from, Math.min(end, begin + min));
    at = this.#search(bytes, { at, end: Math.min(end, begin + usual), mask: RARE });
    if (at >= 0) at = this.#search(bytes, { at, end: Math.min(end, begin + max), mask: OFTEN });
    const cut = at < 0 ? ~at : at === begin + max ? at : -1;
    if (cut >= 0) this.restart();
    else this.length = end - begin;
    return cut;
  }

  /** @returns where it came to, or ~(place of the cut) */
  #search(bytes: Uint8Array, part: { at: number; end: number; mask: number }): number {
    const { end, mask } = part;
    const gear = GEAR;
    let { at } = part;
    let hash = this.#hash;
    // Four at a time, in one read: four times as fast as one by one.
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    for (const stop = end - 3; at < stop; at += 4) {
      const four = view.getInt32(at, true);
      const one = ((hash << 1) + gear[four & 0xff]!) | 0;
      const two = ((one << 1) + gear[(four >>> 8) & 0xff]!) | 0;
      const three = ((two << 1) + gear[(four >>> 16) & 0xff]!) | 0;
      hash = ((three << 1) + gear[four >>> 24]!) | 0;
      if ((one & mask) === 0) return ~(at + 1);
      if ((two & mask) === 0) return ~(at + 2);
      if ((three & mask) === 0) return ~(at + 3);
      if ((hash & mask) === 0) return ~(at + 4);
    }
    for (; at < end; at += 1) {
      hash = ((hash << 1) + gear[bytes[at]!]!) | 0;
      if ((hash & mask) === 0) return ~(at + 1);
    }
    this.#hash = hash;
    return Math.max(at, part.at);
  }
}
