import { join } from 'node:path';
import { isFolder, makeFolder, syncFolder } from './sync-folder.js';

/** Folders that are remembered; of one that is forgotten its parents are synced once more. */
const KNOWN_MAX = 10_000;

export interface MadeFolder {
  readonly folder: string;
  /** Nothing can be in it yet. */
  readonly isNew: boolean;
}

/** Makes folders whose names survive a power loss, and remembers those that do. */
export class DurableFolders {
  private readonly known = new Set<string>();

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

  private remember(folder: string): void {
    if (this.known.size >= KNOWN_MAX) this.known.clear();
    this.known.add(folder);
  }
}
