/** Bytes of a hook's output that are shown of its beginning, and of its end. */
export const OUTPUT_SHOWN_BYTES = 1_024;

/**
 * What a hook prints, as lines for the job's log: the first and the last KiB of it, whatever it prints in between.
 * Memory: 2 KiB and what was handed in last.
 */
export class HookOutput {
  #head = Buffer.alloc(0);
  #taken = 0;
  #tail = Buffer.alloc(0);
  #leftOut = 0;

  /** @returns the lines that are whole by now and belong to the beginning */
  push(chunk: Uint8Array): string[] {
    const room = OUTPUT_SHOWN_BYTES - this.#taken;
    const first = chunk.subarray(0, Math.max(room, 0));
    this.#taken += first.length;
    this.#keep(chunk.subarray(first.length));
    this.#head = Buffer.concat([this.#head, first]);
    const end = this.#head.lastIndexOf('\n');
    if (end < 0) return [];
    const whole = this.#head.subarray(0, end);
    this.#head = this.#head.subarray(end + 1);
    return linesOf(whole);
  }

  /** The lines that are left when it prints no more. */
  end(): string[] {
    const leftOut = this.#leftOut;
    if (leftOut === 0) return linesOf(Buffer.concat([this.#head, this.#tail]));
    return [
      ...linesOf(this.#head),
      `(${leftOut} bytes of output are left out here)`,
      ...linesOf(this.#tail),
    ];
  }

  #keep(more: Uint8Array): void {
    const all = Buffer.concat([this.#tail, more]);
    const over = Math.max(all.length - OUTPUT_SHOWN_BYTES, 0);
    this.#leftOut += over;
    this.#tail = Buffer.from(all.subarray(over));
  }
}

function linesOf(bytes: Buffer): string[] {
  return bytes
    .toString('utf8')
    .split('\n')
    .map((line) => line.replace(UNPRINTABLE, '\u{fffd}').trimEnd())
    .filter((line) => line !== '');
}

/** Terminals act on these. */
const UNPRINTABLE = /(?!\t)\p{Cc}/gu;
