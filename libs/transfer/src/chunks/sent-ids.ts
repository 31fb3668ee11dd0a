/** Far more than can be asked for and not yet answered. */
const GENERATION_IDS = 16_384;

/**
 * What was sent lately: an answer that was given before it arrived says that it is not there. It forgets
 * after 16,384 others at the earliest.
 */
export class SentIds {
  #young = new Set<string>();
  #old = new Set<string>();

  /** False if it was sent lately. */
  add(id: Buffer): boolean {
    const text = id.toString('latin1');
    if (this.#young.has(text) || this.#old.has(text)) return false;
    if (this.#young.size >= GENERATION_IDS) {
      this.#old = this.#young;
      this.#young = new Set();
    }
    this.#young.add(text);
    return true;
  }
}
