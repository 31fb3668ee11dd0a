import { crc32 } from 'node:zlib';
import { domainKey } from '../chunk-id.js';
import { IndexDamaged } from './chunk-index.js';
import type { Place } from './chunk-map.js';

/** Keys and values of an index on disk. Every value ends with a CRC-32 of its key and itself. */
const CHUNK = Buffer.from('k');
const CONTAINER = Buffer.from('c');
const HOLDER = Buffer.from('h');
const CHECK_BYTES = 4;
const CONTAINER_ID_BYTES = 8;

export function chunkKeys(domain: string, ids: readonly Buffer[]): Buffer[] {
  const prefix = Buffer.concat([CHUNK, domainKey(domain)]);
  return ids.map((id) => Buffer.concat([prefix, id]));
}

export function containerKey(container: string): Buffer {
  return Buffer.concat([CONTAINER, Buffer.from(container, 'hex')]);
}

export function holderKey(holder: string): Buffer {
  return Buffer.concat([HOLDER, Buffer.from(holder)]);
}

/** The container or holder that a key stands for. */
export function containerOf(key: Buffer): string {
  return key.subarray(1).toString('hex');
}

export function holderOf(key: Buffer): string {
  return key.subarray(1).toString('utf8');
}

/** All keys of containers, or of holders. */
export const CONTAINER_KEYS = { gt: CONTAINER, lt: Buffer.from('d') };
export const HOLDER_KEYS = { gt: HOLDER, lt: Buffer.from('i') };

export function placeValue(key: Buffer, place: Place): Buffer {
  const body = Buffer.alloc(CONTAINER_ID_BYTES + 4);
  body.write(place.container, 'hex');
  body.writeUInt32LE(place.ordinal, CONTAINER_ID_BYTES);
  return checked(key, body);
}

export function readPlace(key: Buffer, value: Buffer): Place {
  const body = uncheck(key, value);
  return {
    container: body.toString('hex', 0, CONTAINER_ID_BYTES),
    ordinal: body.readUInt32LE(CONTAINER_ID_BYTES),
  };
}

/** Counts are small: seven bits a byte, the lowest first, the highest bit says that more follow. */
export function countsValue(key: Buffer, counts: Uint32Array): Buffer {
  const body = Buffer.allocUnsafe(counts.length * 5);
  let at = 0;
  for (let count of counts) {
    for (; count > 0x7f; count >>>= 7) at = body.writeUInt8((count & 0x7f) | 0x80, at);
    at = body.writeUInt8(count, at);
  }
  return checked(key, body.subarray(0, at));
}

export function readCounts(key: Buffer, value: Buffer): Uint32Array {
  const body = uncheck(key, value);
  const counts = new Uint32Array(body.length);
  let length = 0;
  let [count, shift] = [0, 0];
  for (const byte of body) {
    count = (count | ((byte & 0x7f) << shift)) >>> 0;
    shift += 7;
    if (byte & 0x80) continue;
    counts[length] = count;
    length += 1;
    [count, shift] = [0, 0];
  }
  return counts.slice(0, length);
}

export function holderValue(key: Buffer): Buffer {
  return checked(key, Buffer.alloc(0));
}

export function checkHolder(key: Buffer, value: Buffer): void {
  uncheck(key, value);
}

function checked(key: Buffer, body: Buffer): Buffer {
  const value = Buffer.allocUnsafe(body.length + CHECK_BYTES);
  body.copy(value);
  value.writeUInt32LE(crc32(body, crc32(key)), body.length);
  return value;
}

function uncheck(key: Buffer, value: Buffer): Buffer {
  const body = value.subarray(0, value.length - CHECK_BYTES);
  const whole =
    value.length >= CHECK_BYTES && value.readUInt32LE(body.length) === crc32(body, crc32(key));
  if (!whole)
    throw new IndexDamaged(`the value of key ${key.toString('hex')} is not what was written`);
  return body;
}
