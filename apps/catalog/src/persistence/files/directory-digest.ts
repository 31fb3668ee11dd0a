import { blake3 } from '#kernel/blake3.js';

/** What a directory is found by: BLAKE3 of its path text. */
export function directoryDigest(path: string): Buffer {
  return blake3(path);
}
