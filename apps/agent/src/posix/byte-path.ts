/**
 * A path as the agent holds it: a string in which each character is one byte (latin1). Comparing two of
 * them compares their bytes, and an ASCII path costs no conversion.
 */
export type BytePath = string;

// eslint-disable-next-line no-control-regex -- the question is whether there is any byte above 0x7f
const ASCII = /^[\x00-\x7f]*$/;

/**
 * The path in the form that Node's file calls take: itself when it is ASCII, else its bytes. (Node would
 * encode the string as UTF-8, and so turn each byte above 0x7f into two.)
 */
export function nativePath(path: BytePath): string | Buffer {
  return ASCII.test(path) ? path : Buffer.from(path, 'latin1');
}

/** The byte path of a path that came as ordinary text (an argument, a setting). */
export function bytePathOf(path: string): BytePath {
  return ASCII.test(path) ? path : Buffer.from(path, 'utf8').toString('latin1');
}
