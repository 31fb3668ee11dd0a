import { Blake3Hasher } from '@napi-rs/blake-hash';

/** BLAKE3 (32 bytes) of a frame that lies in pieces. */
export function frameDigest(pieces: readonly Buffer[]): Buffer {
  const hasher = new Blake3Hasher();
  for (const piece of pieces) hasher.update(piece);
  return hasher.digestBuffer();
}
