import { cFunction } from './c-function.js';

/**
 * Of what goes past the page cache, places in the file, lengths and memory are multiples of this: of a page, and of the
 * blocks of every disk.
 */
export const BLOCK_BYTES = 4096;

/** Node does not say where memory lies. A function that gives its first argument back does. */
const memmove = cFunction<(into: Buffer, from: Buffer, bytes: number) => number | bigint>(
  'uintptr_t memmove(void *into, const void *from, size_t bytes)',
);

/** Memory that begins at a multiple of 4 KiB, not cleared; undefined where nobody can say where memory lies. */
export function alignedBytes(bytes: number): Buffer | undefined {
  if (!memmove) return undefined;
  const memory = Buffer.allocUnsafeSlow(bytes + BLOCK_BYTES);
  const beyond = Number(BigInt(memmove(memory, memory, 0)) % BigInt(BLOCK_BYTES));
  const begin = (BLOCK_BYTES - beyond) % BLOCK_BYTES;
  return memory.subarray(begin, begin + bytes);
}
