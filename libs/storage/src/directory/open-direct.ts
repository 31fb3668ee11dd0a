import { constants } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';
import { codeOf } from '#kernel/errors.js';

const ACCESS = { reading: constants.O_RDONLY, writing: constants.O_WRONLY } as const;

/** Opens a file past the page cache; undefined where its file system does not know how. */
export async function openDirect(
  path: string,
  access: keyof typeof ACCESS,
): Promise<FileHandle | undefined> {
  try {
    return await open(path, ACCESS[access] | constants.O_DIRECT);
  } catch (error) {
    if (codeOf(error) === 'EINVAL') return undefined;
    throw error;
  }
}
