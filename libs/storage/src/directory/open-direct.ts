import { constants } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';
import { codeOf } from '#kernel/errors.js';

const ACCESS = { reading: constants.O_RDONLY, writing: constants.O_WRONLY } as const;
/** Its file system does not know how; there is no `/proc`. */
const CANNOT = new Set<string | undefined>(['EINVAL', 'ENOENT']);

/**
 * Opens the very file of a handle, whatever its name is by now, once more: past the page cache.
 * @returns undefined where that cannot be
 */
export async function openDirect(
  file: FileHandle,
  access: keyof typeof ACCESS,
): Promise<FileHandle | undefined> {
  try {
    return await open(`/proc/self/fd/${file.fd}`, ACCESS[access] | constants.O_DIRECT);
  } catch (error) {
    if (CANNOT.has(codeOf(error))) return undefined;
    throw error;
  }
}
