import { CHUNK_ID_BYTES } from '#archive/chunking/chunk-size.js';
import { blake3 } from '#kernel/blake3.js';
import { InvalidInput } from '#kernel/errors.js';

/** Ids that one question, one look-up or one insertion takes. */
export const IDS_PER_BATCH_MAX = 4_096;

const DOMAIN = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/;

/** Throws `InvalidInput` for a batch that is too long or holds what is no id. */
export function checkIds(ids: readonly Buffer[]): void {
  if (ids.length > IDS_PER_BATCH_MAX) {
    throw new InvalidInput(`has more than ${IDS_PER_BATCH_MAX} chunk ids`, 'ids');
  }
  if (ids.some((id) => id.length !== CHUNK_ID_BYTES)) {
    throw new InvalidInput('holds what is no chunk id (32 bytes)', 'ids');
  }
}

/**
 * Throws `InvalidInput` for a text that is no domain. Ids are those of one domain (by default the
 * client): whether another one has some bytes, nobody learns, and nobody gets them by naming their id.
 */
export function checkDomain(domain: string): void {
  if (!DOMAIN.test(domain)) throw new InvalidInput('is no domain of chunks', 'domain');
}

/** The domain of an image whose data come as bytes: its client. */
export function domainOfImage(imageId: string): string {
  const at = imageId.lastIndexOf('_');
  return at > 0 ? imageId.slice(0, at) : imageId;
}

/** 16 bytes that stand for a domain in keys. */
export function domainKey(domain: string): Buffer {
  return blake3(Buffer.from(`chunks of ${domain}`)).subarray(0, 16);
}

/** A key for maps: one character a byte. */
export function idText(id: Buffer): string {
  return id.toString('latin1');
}
