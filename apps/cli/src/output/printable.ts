/**
 * Text that cannot steer a terminal: control characters, and the ones that change the direction of
 * writing, are written as their bytes, `\xHH`, as path text does.
 */
export function printable(text: string): string {
  return text.replace(STEERING, (character) =>
    [...Buffer.from(character)].map((byte) => `\\x${byte.toString(16).padStart(2, '0')}`).join(''),
  );
}

/** True if `printable` would leave it as it is. */
export function isPrintable(text: string): boolean {
  return text.search(STEERING) < 0;
}

const STEERING =
  // eslint-disable-next-line no-control-regex -- these are what is looked for
  /[\x00-\x1f\x7f\x80-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;

/** Cuts to `width` characters; `…` in front says that the beginning is missing. */
export function keepEnd(text: string, width: number): string {
  if (text.length <= width) return text;
  return width < 2 ? '' : `…${text.slice(text.length - width + 1)}`;
}
