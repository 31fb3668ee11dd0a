import { createRequire } from 'node:module';

/**
 * Of what goes past the page cache, places in the file, lengths and memory are multiples of this: of a page, and of the
 * blocks of every disk.
 */
export const BLOCK_BYTES = 4096;

const addressOf = load();

/** Memory that begins at a multiple of 4 KiB, not cleared; undefined where nobody can say where memory lies. */
export function alignedBytes(bytes: number): Buffer | undefined {
  if (!addressOf) return undefined;
  const memory = Buffer.allocUnsafeSlow(bytes + BLOCK_BYTES);
  const beyond = Number(BigInt(addressOf(memory)) % BigInt(BLOCK_BYTES));
  const begin = (BLOCK_BYTES - beyond) % BLOCK_BYTES;
  return memory.subarray(begin, begin + bytes);
}

/** Node has no call for it. One of the C library that gives its first argument back does. */
function load(): ((memory: Buffer) => number | bigint) | undefined {
  if (process.platform !== 'linux') return undefined;
  try {
    const koffi = createRequire(import.meta.url)('koffi') as {
      load(name: string): { func(prototype: string): unknown };
    };
    const prototype = 'uintptr_t memmove(void *into, const void *from, size_t bytes)';
    const memmove = koffi.load('libc.so.6').func(prototype) as (
      ...all: [Buffer, Buffer, number]
    ) => number | bigint;
    return (memory) => memmove(memory, memory, 0);
  } catch {
    return undefined; // another C library, or a system that koffi does not know
  }
}
