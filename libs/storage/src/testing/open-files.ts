import { readdirSync, readlinkSync } from 'node:fs';

/** The paths of the files in a folder that this process has open. */
export function openFiles(folder: string): string[] {
  return readdirSync('/proc/self/fd')
    .flatMap((descriptor) => {
      try {
        return [readlinkSync(`/proc/self/fd/${descriptor}`)];
      } catch {
        // Closed meanwhile, as that of this listing.
        return [];
      }
    })
    .filter((path) => path.startsWith(folder));
}
