import { createPrivateKey, createPublicKey, sign, type KeyObject } from 'node:crypto';
import type { Authenticator } from '@nats-io/transport-node';
import { PermanentError } from '#kernel/errors.js';
import { STATUS } from '#kernel/status.js';

/** The nkeys alphabet: base32 of RFC 4648, without padding. */
const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';
/** What stands in front of the 32 bytes of an Ed25519 key in PKCS #8 (RFC 8410). */
const PKCS8_ED25519 = Buffer.from('302e020100300506032b657004220420', 'hex');
const PREFIX_SEED = 18 << 3;
const PREFIX_USER = 20 << 3;
const SEED_BYTES = 36;

/**
 * Answers a server's challenge with a user's nkey, signed by Node's own Ed25519. The client library
 * would do it in plain JavaScript, which costs 70 ms at every start of the command line.
 *
 * Throws `PermanentError` for what is no user's seed.
 */
export function nkeyLogin(seed: string): Authenticator {
  const privateKey = privateKeyOf(seed.trim());
  const nkey = publicNkey(privateKey);
  return (nonce?: string) => ({
    nkey,
    sig: sign(null, Buffer.from(nonce ?? ''), privateKey).toString('base64'),
  });
}

/** The public half (`U...`) of a seed. */
export function publicNkeyOf(seed: string): string {
  return publicNkey(privateKeyOf(seed.trim()));
}

function privateKeyOf(seed: string): KeyObject {
  const raw = decodeBase32(seed);
  const payload = raw.subarray(0, SEED_BYTES - 2);
  // The user prefix is spread over the first two bytes, behind the prefix that says "seed".
  const role = ((raw[0]! & 7) << 5) | ((raw[1]! & 0xf8) >> 3);
  const isUserSeed =
    raw.length === SEED_BYTES &&
    (raw[0]! & 0xf8) === PREFIX_SEED &&
    role === PREFIX_USER &&
    raw.readUInt16LE(SEED_BYTES - 2) === crc16(payload);
  if (!isUserSeed) {
    throw new PermanentError(
      STATUS.accessNotAllowed,
      'The credentials file holds no nkey seed of a user (SU...).',
    );
  }
  const der = Buffer.concat([PKCS8_ED25519, payload.subarray(2)]);
  return createPrivateKey({ key: der, format: 'der', type: 'pkcs8' });
}

function publicNkey(privateKey: KeyObject): string {
  const { x } = createPublicKey(privateKey).export({ format: 'jwk' });
  const payload = Buffer.concat([Buffer.from([PREFIX_USER]), Buffer.from(x!, 'base64url')]);
  const checksum = Buffer.alloc(2);
  checksum.writeUInt16LE(crc16(payload));
  return encodeBase32(Buffer.concat([payload, checksum]));
}

/** CRC-16 as XMODEM has it: polynomial 0x1021, start 0. */
function crc16(bytes: Buffer): number {
  let crc = 0;
  for (const byte of bytes) {
    crc ^= byte << 8;
    for (let bit = 0; bit < 8; bit += 1) {
      crc = crc & 0x8000 ? ((crc << 1) ^ 0x1021) & 0xffff : (crc << 1) & 0xffff;
    }
  }
  return crc;
}

function decodeBase32(text: string): Buffer {
  const bytes: number[] = [];
  let held = 0;
  let bits = 0;
  for (const char of text) {
    const value = ALPHABET.indexOf(char);
    if (value < 0) return Buffer.alloc(0);
    held = ((held << 5) | value) & 0xfff;
    bits += 5;
    if (bits >= 8) {
      bits -= 8;
      bytes.push((held >> bits) & 0xff);
    }
  }
  return Buffer.from(bytes);
}

function encodeBase32(bytes: Buffer): string {
  let text = '';
  let held = 0;
  let bits = 0;
  for (const byte of bytes) {
    held = ((held << 8) | byte) & 0xfff;
    bits += 8;
    while (bits >= 5) {
      bits -= 5;
      text += ALPHABET[(held >> bits) & 31];
    }
  }
  return bits > 0 ? text + ALPHABET[(held << (5 - bits)) & 31] : text;
}
