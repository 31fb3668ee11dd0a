import type { ByteString } from '../path-text.js';
import { TAR_BLOCK_BYTES } from '../tar-block.js';

/** Largest numbers that fit the octal fields; larger ones go into a pax record. */
export const USTAR_SIZE_MAX = 0o77777777777;
export const USTAR_ID_MAX = 0o7777777;
export const USTAR_NAME_BYTES_MAX = 100;
const PREFIX_BYTES_MAX = 155;
const OWNER_BYTES_MAX = 31;

const NAME = { at: 0, bytes: 100 };
const MODE = { at: 100, bytes: 8 };
const UID = { at: 108, bytes: 8 };
const GID = { at: 116, bytes: 8 };
const SIZE = { at: 124, bytes: 12 };
const MTIME = { at: 136, bytes: 12 };
const CHECKSUM = { at: 148, bytes: 8 };
const CHECKSUM_DIGITS = { at: 148, bytes: 7 };
const TYPE_AT = 156;
const LINK = { at: 157, bytes: 100 };
const MAGIC_AT = 257;
const USER = { at: 265, bytes: 32 };
const GROUP = { at: 297, bytes: 32 };
const MAJOR = { at: 329, bytes: 8 };
const MINOR = { at: 337, bytes: 8 };
const PREFIX = { at: 345, bytes: 155 };

type Field = Readonly<{ at: number; bytes: number }>;

/** The fields of one header block. Strings that do not fit must have been dealt with before. */
export interface UstarFields {
  name: ByteString;
  prefix: ByteString;
  mode: number;
  uid: number;
  gid: number;
  size: number;
  mtime: number;
  typeFlag: string;
  linkName: ByteString;
  userName: ByteString;
  groupName: ByteString;
  deviceMajor: number;
  deviceMinor: number;
}

const BLANK = Buffer.alloc(TAR_BLOCK_BYTES);
BLANK.write('ustar\x0000', MAGIC_AT, 'latin1');
/** The sum of the bytes that every header has: the magic, and blanks for the checksum itself. */
const BLANK_SUM = BLANK.reduce((sum, byte) => sum + byte, CHECKSUM.bytes * 0x20);

/** Writes one header block at `offset`. Numbers that do not fit are written as 0. */
export function writeUstarHeader(target: Buffer, offset: number, fields: UstarFields): void {
  target.set(BLANK, offset);
  const typeFlag = fields.typeFlag.charCodeAt(0);
  target[offset + TYPE_AT] = typeFlag;
  const sum =
    BLANK_SUM +
    typeFlag +
    putText(target, offset + NAME.at, fields.name) +
    putNumber(target, offset, MODE, fields.mode, USTAR_ID_MAX) +
    putNumber(target, offset, UID, fields.uid, USTAR_ID_MAX) +
    putNumber(target, offset, GID, fields.gid, USTAR_ID_MAX) +
    putNumber(target, offset, SIZE, fields.size, USTAR_SIZE_MAX) +
    putNumber(target, offset, MTIME, Math.max(fields.mtime, 0), USTAR_SIZE_MAX) +
    putText(target, offset + LINK.at, fields.linkName) +
    putText(target, offset + USER.at, ownerOf(fields.userName)) +
    putText(target, offset + GROUP.at, ownerOf(fields.groupName)) +
    putNumber(target, offset, MAJOR, fields.deviceMajor, USTAR_ID_MAX) +
    putNumber(target, offset, MINOR, fields.deviceMinor, USTAR_ID_MAX) +
    putText(target, offset + PREFIX.at, fields.prefix);
  putNumber(target, offset, CHECKSUM_DIGITS, sum, USTAR_ID_MAX);
  target[offset + CHECKSUM.at + 7] = 0x20;
}

/**
 * Reads one header block; undefined for a block of zeros. Base-256 numbers are understood.
 * @throws Error if it is not a header.
 */
export function readUstarHeader(block: Buffer): UstarFields | undefined {
  const stated = readNumber(block, CHECKSUM);
  if (stated !== checksum(block, 0)) {
    if (block.every((byte) => byte === 0)) return undefined;
    throw new Error('Not a tar header: its checksum is wrong');
  }
  return {
    name: readText(block, NAME),
    prefix:
      block.toString('latin1', MAGIC_AT, MAGIC_AT + 6) === 'ustar\0' ? readText(block, PREFIX) : '',
    mode: readNumber(block, MODE) & 0o7777,
    uid: readNumber(block, UID),
    gid: readNumber(block, GID),
    size: readNumber(block, SIZE),
    mtime: readNumber(block, MTIME),
    typeFlag: String.fromCharCode(block[TYPE_AT]!),
    linkName: readText(block, LINK),
    userName: readText(block, USER),
    groupName: readText(block, GROUP),
    deviceMajor: readNumber(block, MAJOR),
    deviceMinor: readNumber(block, MINOR),
  };
}

export function fitsMtime(seconds: number): boolean {
  return seconds >= 0 && seconds <= USTAR_SIZE_MAX;
}

/**
 * Where to divide a path into prefix and name: the index of the slash between them, 0 if it fits
 * into the name alone, -1 if it does not fit at all.
 */
export function ustarSplit(path: ByteString): number {
  if (path.length <= USTAR_NAME_BYTES_MAX) return 0;
  const slash = path.lastIndexOf('/', Math.min(PREFIX_BYTES_MAX, path.length - 2));
  return slash > 0 && path.length - slash - 1 <= USTAR_NAME_BYTES_MAX ? slash : -1;
}

function ownerOf(name: ByteString): ByteString {
  return name.length <= OWNER_BYTES_MAX ? name : '';
}

/** Writes a short byte string. @returns the sum of its bytes */
function putText(target: Buffer, at: number, text: ByteString): number {
  let sum = 0;
  for (let index = 0; index < text.length; index++) {
    const byte = text.charCodeAt(index);
    target[at + index] = byte;
    sum += byte;
  }
  return sum;
}

/** Octal digits to the end of the field but one byte, which stays NUL. @returns their sum */
function putNumber(
  target: Buffer,
  offset: number,
  field: Field,
  value: number,
  max: number,
): number {
  let at = offset + field.at + field.bytes - 2;
  const first = offset + field.at;
  let rest = value > max ? 0 : value;
  let sum = 0x30 * (field.bytes - 1);
  while (rest > 0x3fffffff) {
    const digit = rest % 8;
    target[at--] = 0x30 + digit;
    sum += digit;
    rest = Math.floor(rest / 8);
  }
  for (; at >= first; at--) {
    target[at] = 0x30 + (rest & 7);
    sum += rest & 7;
    rest >>= 3;
  }
  return sum;
}

/** The sum of all bytes with the checksum's own field as blanks. */
function checksum(block: Buffer, offset: number): number {
  let sum = CHECKSUM.bytes * 0x20;
  const field = offset + CHECKSUM.at;
  for (let at = offset; at < field; at++) sum += block[at]!;
  const end = offset + TAR_BLOCK_BYTES;
  for (let at = field + CHECKSUM.bytes; at < end; at++) sum += block[at]!;
  return sum;
}

function readText(block: Buffer, field: Field): ByteString {
  const nul = block.indexOf(0, field.at);
  const end = field.at + field.bytes;
  return block.toString('latin1', field.at, nul < 0 || nul > end ? end : nul);
}

function readNumber(block: Buffer, field: Field): number {
  const first = block[field.at]!;
  if ((first & 0x80) !== 0) {
    let value = (first & 0x40) !== 0 ? -1 : 0;
    for (let at = field.at + 1; at < field.at + field.bytes; at++) value = value * 256 + block[at]!;
    return value;
  }
  const text = readText(block, field).trim();
  if (text === '') return 0;
  return /^[0-7]+$/.test(text) ? Number.parseInt(text, 8) : Number.NaN;
}
