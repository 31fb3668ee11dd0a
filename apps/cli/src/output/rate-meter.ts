const WINDOW_MS = 5_000;

/** Bytes per second over the last few seconds. */
export class RateMeter {
  #samples: { readonly ms: number; readonly bytes: number }[] = [];

  /** Takes a counter's value; one that went back (a new attempt) begins anew. */
  add(ms: number, bytes: number): void {
    if (bytes < (this.#samples.at(-1)?.bytes ?? 0)) this.#samples = [];
    this.#samples.push({ ms, bytes });
    while (this.#samples.length > 2 && this.#samples[1]!.ms <= ms - WINDOW_MS) {
      this.#samples.shift();
    }
  }

  /** Null while there is nothing to compare. */
  perSecond(): number | null {
    const [first] = this.#samples;
    const last = this.#samples.at(-1);
    if (first === undefined || last === undefined || last.ms <= first.ms) return null;
    return ((last.bytes - first.bytes) * 1_000) / (last.ms - first.ms);
  }
}
