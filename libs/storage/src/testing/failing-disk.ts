import { open } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';

/**
 * Runs some work on a disk whose first sync of a file fails, as after an error of the device: what was
 * written before it may be there for all that.
 */
export function whereASyncFails<T>(work: () => Promise<T>): Promise<T> {
  return whereOneFails('datasync', 'EIO', work);
}

/** Runs some work on a disk whose first write of a single buffer fails, for this reason. */
export function whereAWriteFails<T>(code: string, work: () => Promise<T>): Promise<T> {
  return whereOneFails('write', code, work);
}

async function whereOneFails<T>(
  call: 'datasync' | 'write',
  code: string,
  work: () => Promise<T>,
): Promise<T> {
  const handle = await open('/dev/null', 'r');
  const prototype = Object.getPrototypeOf(handle) as Pick<FileHandle, 'datasync' | 'write'>;
  await handle.close();
  const { [call]: works } = prototype;
  prototype[call] = () => {
    Object.assign(prototype, { [call]: works });
    return Promise.reject(Object.assign(new Error(`${code}: it fails`), { code }));
  };
  try {
    return await work();
  } finally {
    Object.assign(prototype, { [call]: works });
  }
}
