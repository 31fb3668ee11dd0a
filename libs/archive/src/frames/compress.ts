import { createRequire } from 'node:module';
import type { compress as compressAtDefaultLevel } from '@mongodb-js/zstd';

interface Bindings {
  readonly compress: typeof compressAtDefaultLevel;
}

const { compress: compressNative } = createRequire(import.meta.url)(
  '@mongodb-js/zstd/bindings.js',
) as Bindings;

/**
 * One Zstandard frame, made on a thread of libuv's pool. `level` is 1 (fastest) to 19. The package's
 * own `compress` (1.2.2) forgets the level and always takes 3, so this calls what lies beneath it.
 */
export function compress(data: Buffer, level: number): Promise<Buffer> {
  return compressNative(data, level);
}
