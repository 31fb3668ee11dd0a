import { InvalidInput } from '#kernel/errors.js';

/** A path (or link target) as the system has it: a string in which each character is one byte. */
export type ByteString = string;

const PLAIN = /^[\x20-\x5b\x5d-\x7e]*$/;
const ESCAPE = /\\(?:\\|x([0-9a-fA-F]{2})|)/g;
const HEX = '0123456789abcdef';
const BACKSLASH = 0x5c;

/**
 * The path text of a path: valid UTF-8 as it is, a backslash doubled, control bytes and what is not
 * UTF-8 as `\xHH`. Total and reversible; the result holds no newline and no tab.
 */
export function toPathText(path: ByteString): string {
  if (PLAIN.test(path)) return path;
  return Buffer.from(escaped(path), 'latin1').toString('utf8');
}

/** As `toPathText`, but the text's UTF-8 as a byte string, for writers of index lines. */
export function toPathTextBytes(path: ByteString): ByteString {
  return PLAIN.test(path) ? path : escaped(path);
}

/**
 * The path behind a path text.
 * @throws InvalidInput where a backslash begins neither `\\` nor `\xHH`.
 */
export function fromPathText(text: string): ByteString {
  if (PLAIN.test(text)) return text;
  return unescaped(Buffer.from(text, 'utf8').toString('latin1'));
}

/** As `fromPathText`, for text that was read as bytes. */
export function fromPathTextBytes(text: ByteString): ByteString {
  return text.includes('\\') ? unescaped(text) : text;
}

/** True if every byte is below 0x80, so that the string can go to `fs` as it is. */
export function isAscii(path: ByteString): boolean {
  // eslint-disable-next-line no-control-regex
  return /^[\x00-\x7f]*$/.test(path);
}

/** What a system call takes: the string itself where it is ASCII, else its bytes. */
export function toSystemPath(path: ByteString): string | Buffer {
  return isAscii(path) ? path : Buffer.from(path, 'latin1');
}

/** True if the bytes are valid UTF-8. */
export function isUtf8Bytes(path: ByteString): boolean {
  for (let at = 0; at < path.length;) {
    const length = utf8LengthAt(path, at);
    if (length === 0) return false;
    at += length;
  }
  return true;
}

function escaped(path: ByteString): ByteString {
  let text = '';
  for (let at = 0; at < path.length;) {
    const byte = path.charCodeAt(at);
    const length = byte < 0x20 || byte === 0x7f ? 0 : utf8LengthAt(path, at);
    if (byte === BACKSLASH) text += '\\\\';
    else if (length > 0) text += path.slice(at, at + length);
    else text += `\\x${HEX[byte >> 4]}${HEX[byte & 15]}`;
    at += Math.max(length, 1);
  }
  return text;
}

function unescaped(text: ByteString): ByteString {
  return text.replace(ESCAPE, (match: string, hex: string | undefined) => {
    if (hex !== undefined) return String.fromCharCode(Number.parseInt(hex, 16));
    if (match === '\\\\') return '\\';
    throw new InvalidInput(
      `"${Buffer.from(text, 'latin1').toString('utf8')}" is not a path text: ` +
        'a backslash is written \\\\, any other byte \\xHH with two hexadecimal digits.',
      'path',
    );
  });
}

/** Bytes of the UTF-8 sequence that begins at `at` (RFC 3629: shortest form, no surrogates); or 0. */
function utf8LengthAt(bytes: ByteString, at: number): number {
  const first = bytes.charCodeAt(at);
  if (first < 0x80) return 1;
  if (first < 0xc2 || first > 0xf4) return 0;
  const length = first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
  if (at + length > bytes.length) return 0;
  const second = bytes.charCodeAt(at + 1);
  const low = first === 0xe0 ? 0xa0 : first === 0xf0 ? 0x90 : 0x80;
  const high = first === 0xed ? 0x9f : first === 0xf4 ? 0x8f : 0xbf;
  if (second < low || second > high) return 0;
  for (let next = at + 2; next < at + length; next++) {
    if ((bytes.charCodeAt(next) & 0xc0) !== 0x80) return 0;
  }
  return length;
}
