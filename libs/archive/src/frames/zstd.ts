import { createRequire } from 'node:module';
import { promisify } from 'node:util';
import * as zlib from 'node:zlib';

/** Zstandard (RFC 8878), on threads of libuv's pool. */
export interface Zstd {
  compress(data: Buffer, level: number): Promise<Buffer>;
  decompress(data: Buffer): Promise<Buffer>;
}

const native = packaged();
const { compress: compressWith, decompress: decompressWith } = native ?? builtInZstd();

/** Whether `decompress` takes several whole frames, one behind the other, too. Node's own stops behind the first. */
export const TAKES_SEVERAL_FRAMES = native !== undefined;

/** One frame, which need not state the size of its content. `level` is 1 (fastest) to 19; 3 is the library's own default. */
export function compress(data: Buffer, level = 3): Promise<Buffer> {
  return compressWith(data, level);
}

/** The content of one whole frame, in memory that is the caller's alone. Throws for what is none. */
export function decompress(data: Buffer): Promise<Buffer> {
  return decompressWith(data);
}

/**
 * The package's native part. Its own `compress` (1.2.2) forgets the level and always takes 3, so this is what lies
 * beneath it. Undefined on platforms for which it has none.
 */
function packaged(): Zstd | undefined {
  try {
    return createRequire(import.meta.url)('@mongodb-js/zstd/bindings.js') as Zstd;
  } catch {
    return undefined;
  }
}

/** Node's own (22.15 and later). Throws where it has none. */
export function builtInZstd(): Zstd {
  const { zstdCompress, zstdDecompress, constants } = zlib as Partial<NodeZstd>;
  if (!zstdCompress || !zstdDecompress || !constants) {
    const where = `${process.platform} ${process.arch}`;
    throw new Error(
      `There is no Zstandard for ${where}: @mongodb-js/zstd has no binary for it, and Node ${process.version} none of its own. Use Node 24, which has.`,
    );
  }
  const [pack, unpack] = [promisify(zstdCompress), promisify(zstdDecompress)];
  return {
    compress: (data, level) => {
      const params = { [constants.ZSTD_c_compressionLevel!]: level };
      return pack(data, { params, pledgedSrcSize: data.length });
    },
    decompress: async (data) => unpack(data, {}),
  };
}

/** What Node 20's types do not know. */
interface NodeZstd {
  zstdCompress(
    data: Buffer,
    options: { params: Record<number, number>; pledgedSrcSize: number },
    done: (error: Error | null, result: Buffer) => void,
  ): void;
  zstdDecompress(
    data: Buffer,
    options: object,
    done: (error: Error | null, result: Buffer) => void,
  ): void;
  constants: Readonly<Record<string, number>>;
}
