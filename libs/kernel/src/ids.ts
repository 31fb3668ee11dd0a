import { createHash, randomBytes } from 'node:crypto';

/**
 * A UUIDv7 (RFC 9562): 48 bits of milliseconds, then chance. Ids that are made later sort later, so
 * they fill an index from the right.
 */
export function uuidv7(now: Date): string {
  const bytes = chance16();
  bytes.writeUIntBE(now.getTime(), 0, 6);
  return format(bytes, 7);
}

/** A UUID that is always the same for the same name: SHA-256 cut to a UUIDv8 (RFC 9562). */
export function uuidOf(name: string): string {
  return format(createHash('sha256').update(name).digest().subarray(0, 16), 8);
}

const CHANCE_BYTES = 4_096;
let chance = Buffer.alloc(0);

/** 128 bits of chance, from a store: to ask the system for so few is most of what an id costs. */
function chance16(): Buffer {
  if (chance.length === 0) chance = randomBytes(CHANCE_BYTES);
  const taken = chance.subarray(0, 16);
  chance = chance.subarray(16);
  return taken;
}

/** 256 bits of chance, for tokens and passwords; safe in URLs and file names. */
export function randomToken(): string {
  return randomBytes(32).toString('base64url');
}

function format(bytes: Buffer, version: number): string {
  bytes[6] = (bytes[6]! & 0x0f) | (version << 4);
  bytes[8] = (bytes[8]! & 0x3f) | 0x80;
  const hex = bytes.toString('hex');
  return [
    hex.slice(0, 8),
    hex.slice(8, 12),
    hex.slice(12, 16),
    hex.slice(16, 20),
    hex.slice(20),
  ].join('-');
}
