import { Blake3Hasher } from '@napi-rs/blake-hash';

/** Of a digest. */
export const DIGEST_BYTES = 32;

const hasher = new Blake3Hasher();

/**
 * BLAKE3 (32 bytes) of bytes, of pieces one behind the other, or of a text in UTF-8. In place of the library's function of
 * that name, and of a hasher for each digest: what those allocate is freed only when the thread comes to its event loop,
 * which one that reads a whole client does not. 200,000 digests are 65 MiB then, and 490 MiB with a hasher for each; this
 * is as fast, and as fast as the library for what is large.
 */
export function blake3(bytes: Uint8Array | string | readonly Uint8Array[]): Buffer {
  hasher.reset();
  if (Array.isArray(bytes)) for (const piece of bytes as Buffer[]) hasher.update(piece);
  else hasher.update(bytes as Buffer | string);
  return Buffer.from(hasher.digest('hex'), 'hex');
}
