import { join } from 'node:path';
import { isFolder, statIfThere } from '#storage/directory/sync-folder.js';
import { VolumeUnusable } from '#storage/errors.js';

/** How a volume keeps fragments: as files of their own, or as chunks that several may share. */
export type VolumeKind = 'directory' | 'chunks';

/** What a folder is for: a volume, or the books of a library. */
export type StoreKind = VolumeKind | 'library';

/**
 * Throws `VolumeUnusable` for a folder that is for something else than what is wished, and says what to do.
 * @param identity what the folder says of itself, if it does
 */
export async function expectKind(
  path: string,
  identity: { readonly kind?: StoreKind | undefined } | undefined,
  { kind: wished = 'directory', pool }: { readonly kind?: StoreKind; readonly pool: string },
): Promise<void> {
  const found = identity?.kind ?? (await kindSeen(path));
  if (found !== undefined && (found === 'library') !== (wished === 'library')) {
    throw new VolumeUnusable(path, found === 'library' ? isLibrary(pool, path) : IS_VOLUME);
  }
  const kind = identity?.kind ?? 'directory';
  if (!identity || wished === 'library' || kind === wished) return;
  throw new VolumeUnusable(
    path,
    kind === 'chunks'
      ? `it deduplicates, and a volume that does cannot be used as one that does not. ` +
          `Name it as ${pool}=dedup:${path}.`
      : `it does not deduplicate, and a volume that does not cannot become one that does. ` +
          `Name it as ${pool}=${path}, or give the pool a new folder and duplicate into that.`,
  );
}

const IS_VOLUME =
  'it is a volume of fragments, and cannot become a library. Name it as a volume ("--volume", ' +
  'HOLDFAST_MEDIA_VOLUMES), and give the library a folder of its own.';

function isLibrary(pool: string, path: string): string {
  const name = `"--library ${pool}=${path}", HOLDFAST_MEDIA_LIBRARIES`;
  return `it is a library of sequential volumes, and no volume. Name it as a library (${name}).`;
}

/** What a folder holds shows of what it is for, where it does not say so. */
async function kindSeen(path: string): Promise<StoreKind | undefined> {
  if (await statIfThere(join(path, 'library.json'))) return 'library';
  const holds = await Promise.all(['images', '.trash'].map((name) => isFolder(join(path, name))));
  return holds.includes(true) ? 'directory' : undefined;
}
