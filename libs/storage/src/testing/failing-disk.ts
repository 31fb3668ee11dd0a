import { open } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';

/**
 * Runs some work on a disk whose first sync of a file fails, as after an error of the device: what was
 * written before it may be there for all that.
 */
export async function whereASyncFails<T>(work: () => Promise<T>): Promise<T> {
  const handle = await open('/dev/null', 'r');
  const prototype = Object.getPrototypeOf(handle) as Pick<FileHandle, 'datasync'>;
  await handle.close();
  const { datasync } = prototype;
  prototype.datasync = () => {
    prototype.datasync = datasync;
    return Promise.reject(Object.assign(new Error('i/o error'), { code: 'EIO' }));
  };
  try {
    return await work();
  } finally {
    prototype.datasync = datasync;
  }
}
