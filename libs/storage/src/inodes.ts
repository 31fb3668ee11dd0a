import { statfsSync } from 'node:fs';
import { statfs } from 'node:fs/promises';

/** Left free for what lets others go: each deletion needs a folder in the trash. A small file system has fewer. */
const INODES_RESERVE = 1_000;
const RESERVE_SHARE = 1 / 20;

/** True where a file system has only a reserve of inodes left. Those that have no fixed number say 0 of 0. */
export async function isShortOfInodes(folder: string): Promise<boolean> {
  const { files, ffree } = await statfs(folder);
  return files > 0 && ffree <= Math.min(INODES_RESERVE, files * RESERVE_SHARE);
}

/** True where a file system has no inode left at all; false where it cannot be asked. */
export function hasNoInodes(folder: string): boolean {
  try {
    const { files, ffree } = statfsSync(folder);
    return files > 0 && ffree === 0;
  } catch {
    return false;
  }
}
