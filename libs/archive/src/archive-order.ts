import type { ByteString } from './path-text.js';

const SLASH = 0x2f;

/**
 * Archive order of two paths: component by component, bytes by value, a folder before what it
 * holds. Negative, zero or positive, as `Array.sort` wants it. The empty path (`/` itself) is first.
 */
export function compareArchivePaths(a: ByteString, b: ByteString): number {
  if (a === b) return 0;
  const length = Math.min(a.length, b.length);
  for (let at = 0; at < length; at++) {
    const left = a.charCodeAt(at);
    const right = b.charCodeAt(at);
    if (left !== right) {
      if (left === SLASH) return -1;
      if (right === SLASH) return 1;
      return left - right;
    }
  }
  return a.length - b.length;
}

/** True if `path` is `folder` itself or lies somewhere below it. Both without slashes at the ends. */
export function isWithin(path: ByteString, folder: ByteString): boolean {
  if (folder === '') return true;
  if (!path.startsWith(folder)) return false;
  return path.length === folder.length || path.charCodeAt(folder.length) === SLASH;
}
