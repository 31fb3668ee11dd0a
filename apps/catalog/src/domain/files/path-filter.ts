import { directoryKey } from './tree-key.js';

/** Bits of each entry, of how many are looked at: one in a hundred answers is a wrong "perhaps". */
const BITS_PER_ENTRY = 10;
export const BITS_LOOKED_AT = 5;
const BITS_MIN = 64;

/** Where the bits of a path are: at `first + n * step`, modulo the size of the filter. */
export interface FilterPlaces {
  readonly first: number;
  readonly step: number;
}

/**
 * Says of a path whether a small tree cannot have it (a Bloom filter, bits counted from the lowest of each
 * byte, as PostgreSQL does): a client may have thousands of incrementals without it.
 */
export function pathFilter(hashes: readonly number[]): Buffer {
  const bytes = Math.ceil(Math.max(hashes.length * BITS_PER_ENTRY, BITS_MIN) / 8);
  const filter = Buffer.alloc(bytes);
  for (const hash of hashes) {
    const { first, step } = placesOf(hash);
    for (let n = 0; n < BITS_LOOKED_AT; n += 1) {
      const bit = (first + n * step) % (bytes * 8);
      filter[bit >>> 3]! |= 1 << (bit & 7);
    }
  }
  return filter;
}

export function placesOfPath(directory: string, name: string): FilterPlaces {
  return placesOf(textHash(name, textHash(directoryKey(directory), HASH_SEED)));
}

function placesOf(hash: number): FilterPlaces {
  return { first: mix(hash), step: mix(hash ^ 0x9e3779b9) };
}

export const HASH_SEED = 0x811c9dc5;

/** FNV-1a over UTF-16 code units, to be gone on with: it becomes the seed of what follows. */
export function textHash(text: string, seed: number): number {
  let value = seed | 0;
  for (let at = 0; at < text.length; at += 1) {
    value = Math.imul(value ^ text.charCodeAt(at), 0x01000193);
  }
  return value;
}

/** Spreads what FNV leaves in the upper bits (the last step of MurmurHash3); 32 bits. */
export function mix(value: number): number {
  let mixed = value;
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return (mixed ^ (mixed >>> 16)) >>> 0;
}
