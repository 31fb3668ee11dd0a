import { realpathSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';

/**
 * The patterns that leave these folders (absolute paths) out of a backup, as they are named and where they lie now:
 * patterns are held against the path on which a backup comes to a folder, which need not lead through the same symlinks.
 */
export function leftOut(folders: readonly string[]): string[] {
  return [...new Set(folders.flatMap((folder) => [folder, placeOf(folder)]))].map(asGlob);
}

/** Of a folder that is not there yet, where it would be made. */
function placeOf(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    const parent = dirname(path);
    return parent === path ? path : join(placeOf(parent), basename(path));
  }
}

/** A path that stands for itself, whatever characters it holds. */
function asGlob(path: string): string {
  return path.replace(/[*?[\](){}!+@\\|]/g, '\\$&');
}
