import { createRequire } from 'node:module';
import { promisify } from 'node:util';
import * as zlib from 'node:zlib';
import { freeBytes } from '#kernel/free-bytes.js';
import { systemZstd } from './libzstd.js';
import type { Zstd } from './zstd-library.js';
import { zstdFrameAt } from './zstd-frame-end.js';

const shipped = packagedZstd() ?? builtInZstd();
const zstd = systemZstd(shipped) ?? shipped;

/** One frame, which need not state the size of its content. `level` is 1 (fastest) to 19; 3 is the library's own default. */
export function compress(data: Buffer, level: number): Promise<Buffer> {
  return zstd.compress(data, level);
}

/**
 * The content of whole frames, one behind the other. Throws for what are none.
 * @param into memory for it, which the result is the beginning of (the rest may have been written to, too); throws if it
 *   is too small. Else the result is in memory that is the caller's alone
 */
export function decompress(frames: Buffer, into?: Buffer): Promise<Buffer> {
  return zstd.decompress(frames, into);
}

/**
 * The package's native part. Its own `compress` (1.2.2) forgets the level and always takes 3, so this is what lies
 * beneath it. Undefined on platforms for which it has none.
 */
export function packagedZstd(): Zstd | undefined {
  let native: Pick<Zstd, 'compress'> & { decompress(frames: Buffer): Promise<Buffer> };
  try {
    native = createRequire(import.meta.url)('@mongodb-js/zstd/bindings.js') as typeof native;
  } catch {
    return undefined;
  }
  return {
    compress: native.compress,
    decompress: async (frames, into) => moved(await native.decompress(frames), into),
  };
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
    // It stops behind the first frame.
    decompress: async (frames, into) => {
      const parts = await Promise.all(framesOf(frames).map((frame) => unpack(frame, {})));
      return moved(parts.length === 1 ? parts[0]! : Buffer.concat(parts), into);
    },
  };
}

function framesOf(frames: Buffer): Buffer[] {
  const found: Buffer[] = [];
  for (let at = 0; at < frames.length || at === 0;) {
    const end = at + (zstdFrameAt(frames, at)?.bytes ?? Infinity);
    found.push(frames.subarray(at, end));
    at = end;
  }
  return found;
}

function moved(content: Buffer, into: Buffer | undefined): Buffer {
  if (!into) return content;
  if (content.length > into.length) throw new Error('it comes to more than there is room for');
  content.copy(into);
  const { length } = content;
  freeBytes(content);
  return into.subarray(0, length);
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
