import { rmdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { codeOf } from '#kernel/errors.js';
import { isFolder, makeFolder, syncFolder } from './sync-folder.js';

/** Folders that are remembered; of one that is forgotten its parents are synced once more. */
const KNOWN_MAX = 10_000;

export interface MadeFolder {
  readonly folder: string;
  /** Nothing can be in it yet. */
  readonly isNew: boolean;
}

/**
 * Makes folders whose names survive a power loss, and remembers those that do; removes them when nothing is
 * in them any more. Whoever needs one that may be empty works within `use`.
 */
export class DurableFolders {
  private readonly known = new Set<string>();
  private readonly users = new Set<Promise<unknown>>();
  private removing: Promise<void> | undefined;

  /** Does some work, during which no folder is removed. */
  async use<T>(work: () => Promise<T>): Promise<T> {
    while (this.removing) await this.removing;
    const user = work();
    this.users.add(user);
    try {
      return await user;
    } finally {
      this.users.delete(user);
    }
  }

  /**
   * Makes `parts` below `root`, which must be there; when it resolves, the name of each is durable. One that
   * was there already may have been made by a process that died before it could sync it. The last one's
   * own names are for whoever puts something into it.
   */
  async make(root: string, parts: readonly string[]): Promise<MadeFolder> {
    const full = join(root, ...parts);
    if (this.known.has(full) && (await isFolder(full))) return { folder: full, isNew: false };
    let parent = root;
    let isNew = false;
    for (const part of parts) {
      const folder = join(parent, part);
      isNew = await makeFolder(folder);
      if (isNew || !this.known.has(folder)) await syncFolder(parent);
      this.remember(folder);
      parent = folder;
    }
    return { folder: full, isNew };
  }

  /**
   * Removes the folders along `parts` below `root`, the last one first, up to one that holds anything; the
   * first of them stays. Waits for whoever uses one. Not for use within `use`.
   */
  async removeEmpty(root: string, parts: readonly string[]): Promise<void> {
    while (this.removing) await this.removing;
    const removal = this.removeAlone(root, parts);
    this.removing = removal
      .catch(() => undefined) // is thrown to whoever asked for it
      .then(() => {
        this.removing = undefined;
      });
    await removal;
  }

  private async removeAlone(root: string, parts: readonly string[]): Promise<void> {
    await Promise.allSettled(this.users);
    for (let depth = parts.length; depth > 1; depth -= 1) {
      const folder = join(root, ...parts.slice(0, depth));
      this.known.delete(folder);
      if (!(await removeIfEmpty(folder))) return;
    }
  }

  private remember(folder: string): void {
    if (this.known.size >= KNOWN_MAX) this.known.clear();
    this.known.add(folder);
  }
}

/** False if something is in it. */
async function removeIfEmpty(folder: string): Promise<boolean> {
  try {
    await rmdir(folder);
    await syncFolder(dirname(folder));
    return true;
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return true;
    if (codeOf(error) === 'ENOTEMPTY' || codeOf(error) === 'EEXIST') return false;
    throw error;
  }
}
