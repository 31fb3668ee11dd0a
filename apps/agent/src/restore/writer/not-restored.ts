import { toPathText, type ByteString } from '#archive/path-text.js';
import { codeOf, messageOf } from '#kernel/errors.js';

/** An entry that cannot be restored; the others can. The message is a clause for a note. */
export class NotRestored extends Error {
  override readonly name: string = 'NotRestored';
}

/** Something of that name is there and may not be overwritten. */
export class LeftAlone extends NotRestored {
  override readonly name = 'LeftAlone';
}

const REASONS: Readonly<Record<string, string>> = {
  EACCES: 'permission denied',
  EPERM: 'that needs more privileges',
  ENOSPC: 'the destination is full',
  EDQUOT: 'the quota of the destination is used up',
  EROFS: 'the destination is read-only',
  ENAMETOOLONG: 'its name is too long for the destination',
  ELOOP: 'a symlink is in the way',
  EFBIG: 'it is too large for the destination',
  EMFILE: 'it lies too deep: too many files are open',
  EILSEQ: 'the destination does not allow its name',
};

/** With these every further file would fail as well, so the restore gives up. */
const HOPELESS = new Set(['ENOSPC', 'EDQUOT', 'EROFS', 'EIO']);

/** Why the whole restore has to end, if it has to. */
export function hopeless(error: unknown): string | undefined {
  const code = codeOf(error);
  return code !== undefined && HOPELESS.has(code) ? (REASONS[code] ?? `${code}`) : undefined;
}

/** What went wrong, for people. */
export function reasonOf(error: unknown): string {
  const code = codeOf(error);
  return code === undefined ? messageOf(error) : (REASONS[code] ?? code);
}

/** A path below the destination that cannot lead out of it: no `..`, nothing empty, not absolute. */
export function isSafePath(path: ByteString): boolean {
  return !UNSAFE.test(path);
}

/** An empty component, `.` or `..`, anywhere; or a NUL. The empty path alone is the destination itself. */
// eslint-disable-next-line no-control-regex
const UNSAFE = /\0|^\/|\/$|\/\/|(?:^|\/)\.\.?(?:\/|$)/;

/** A path for a note. */
export const shown = (path: ByteString): string => toPathText(path === '' ? '/' : path);
