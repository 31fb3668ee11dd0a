import { mkdir, open, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { codeOf } from '#kernel/errors.js';

/** Makes names that were added to a folder, or changed in it, survive a power loss. */
export async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Makes the names in `root`, and in each folder on the way along `parts`, survive a power loss. */
export async function syncFolders(root: string, parts: readonly string[]): Promise<void> {
  await syncFolder(root);
  for (const [last] of parts.entries()) await syncFolder(join(root, ...parts.slice(0, last + 1)));
}

/** Makes `parts` below `root`, which must be there, and each new one durable. */
export async function makeFolders(root: string, parts: readonly string[]): Promise<string> {
  const full = join(root, ...parts);
  if (await isFolder(full)) return full;
  let parent = root;
  for (const part of parts) {
    const folder = join(parent, part);
    if (await makeFolder(folder)) await syncFolder(parent);
    parent = folder;
  }
  return full;
}

/** True if it is new, false if it was there. */
export async function makeFolder(folder: string): Promise<boolean> {
  try {
    await mkdir(folder, { mode: 0o700 });
    return true;
  } catch (error) {
    if (codeOf(error) !== 'EEXIST') throw error;
    return false;
  }
}

export async function isFolder(path: string): Promise<boolean> {
  return (await statIfThere(path))?.isDirectory() ?? false;
}

/** Like `stat`; undefined where there is nothing, or no folder on the way. */
export async function statIfThere(
  path: string,
): Promise<Awaited<ReturnType<typeof stat>> | undefined> {
  try {
    return await stat(path);
  } catch (error) {
    if (codeOf(error) === 'ENOENT' || codeOf(error) === 'ENOTDIR') return undefined;
    throw error;
  }
}
