import { rename } from 'node:fs/promises';
import { dirname } from 'node:path';
import { syncFolder } from '../directory/sync-folder.js';

/** Gives a folder a name beside it that is free. Nothing in it is touched. */
export async function putAside(folder: string): Promise<void> {
  for (let number = 1; ; number += 1) {
    const aside = `${folder}.damaged-${number}`;
    try {
      await rename(folder, aside);
      await syncFolder(dirname(folder));
      return;
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code !== 'ENOTEMPTY' && code !== 'EEXIST') throw error;
    }
  }
}
