import type { ByteString } from './path-text.js';

/** Up to here a loop is faster than `Buffer.write`, which takes a third of a microsecond to set out. */
const LOOP_CHARACTERS_MAX = 256;

/** Writes a byte string. The target must have room for all of it. @returns the number of bytes */
export function writeByteText(target: Buffer, at: number, text: ByteString): number {
  const { length } = text;
  if (length > LOOP_CHARACTERS_MAX) return target.write(text, at, 'latin1');
  for (let index = 0; index < length; index++) target[at + index] = text.charCodeAt(index);
  return length;
}

/** Sets bytes to zero. (`Buffer.fill` takes four times as long for a block of tar.) */
export function writeZeros(target: Buffer, from: number, to: number): void {
  Uint8Array.prototype.fill.call(target, 0, from, to);
}
