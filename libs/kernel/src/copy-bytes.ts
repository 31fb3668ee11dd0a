/**
 * Copies `from` into another buffer, at this place, where it has to fit. `set` and `copy` do the same, but where
 * threads share the memory of one of them V8 goes byte by byte unless both lie alike in words: five times as long. `fill`
 * takes it as a pattern that comes once, and leaves it to the C library.
 * @throws RangeError if it does not fit
 */
export function copyBytes(from: Uint8Array, to: Buffer, at: number): void {
  if (from.length > 0) to.fill(from, at, at + from.length);
}
