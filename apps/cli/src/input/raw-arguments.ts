import { isUtf8Bytes, type ByteString } from '#archive/path-text.js';

/**
 * Node decodes arguments as UTF-8 and so loses bytes that are not. Here an argument is a string in
 * which each such byte is one lone surrogate, U+DC80 to U+DCFF: everything else is as usual, and
 * nothing is lost.
 */
export function decodeArgument(bytes: Buffer): string {
  const raw = bytes.toString('latin1');
  if (isUtf8Bytes(raw)) return bytes.toString('utf8');
  let text = '';
  for (let at = 0; at < raw.length;) {
    const length = [1, 2, 3, 4].find((count) => isUtf8Bytes(raw.slice(at, at + count)));
    if (length === undefined || at + length > raw.length) {
      text += String.fromCharCode(0xdc00 + raw.charCodeAt(at));
      at += 1;
    } else {
      text += bytes.toString('utf8', at, at + length);
      at += length;
    }
  }
  return text;
}

/** The bytes behind a decoded argument. */
export function argumentBytes(argument: string): ByteString {
  return argument
    .split(/([\udc80-\udcff])/u)
    .map((part) =>
      /^[\udc80-\udcff]$/u.test(part)
        ? String.fromCharCode(part.charCodeAt(0) - 0xdc00)
        : Buffer.from(part, 'utf8').toString('latin1'),
    )
    .join('');
}

/**
 * The arguments as the system has them. `commandLine` is what `/proc/self/cmdline` holds; where it
 * does not fit to `decoded` (another system, arguments that were changed), `decoded` stands.
 */
export function rawArguments(decoded: readonly string[], commandLine: Buffer): string[] {
  if (!decoded.some((argument) => argument.includes('\ufffd'))) return [...decoded];
  const all = splitAtNul(commandLine);
  const own = all.slice(all.length - decoded.length);
  const fits = own.length === decoded.length;
  return decoded.map((argument, i) =>
    fits && own[i]!.toString('utf8') === argument ? decodeArgument(own[i]!) : argument,
  );
}

function splitAtNul(bytes: Buffer): Buffer[] {
  const parts: Buffer[] = [];
  for (let from = 0; from < bytes.length;) {
    const end = bytes.indexOf(0, from);
    const to = end < 0 ? bytes.length : end;
    parts.push(bytes.subarray(from, to));
    from = to + 1;
  }
  return parts;
}
