import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

import { KnownCuts } from '#archive/chunking/known-cuts.js';

/** Beside the listings of a policy: where its large files were cut. Without it they are cut anew, which takes longer. */
export function knownCutsPath(listingPath: string): string {
  return join(dirname(listingPath), 'known-cuts');
}

/** What earlier backups have learned; nothing, if the file is not there or damaged. */
export function loadKnownCuts(path: string): KnownCuts {
  try {
    return new KnownCuts(readFileSync(path));
  } catch {
    return new KnownCuts();
  }
}

/**
 * Adds what this backup has learned to what others have learned meanwhile. The file holds its own digest, so it may be
 * written in place: one that is cut short, or that two have written at once, is taken for none.
 */
export function saveKnownCuts(path: string, own: KnownCuts): void {
  if (!own.hasNews) return;
  try {
    const all = loadKnownCuts(path);
    all.add(own);
    writeFileSync(path, all.encode(), { mode: 0o600 });
  } catch {
    // The next backup cuts anew.
  }
}
