import { isFrameOf } from '#archive/frames/frame-bound.js';
import { decompress } from '#archive/frames/zstd.js';
import { blake3 } from '#kernel/blake3.js';
import { freeBytes } from '#kernel/free-bytes.js';
import type { ChunkFrame } from '../../chunk-intake.js';

/** Whether each chunk of a frame is what its id says, and the frame is nothing else: unpacks and hashes all of it. */
export async function holdsItsChunks({ stored, chunks }: ChunkFrame): Promise<boolean> {
  const bytes = chunks.reduce((sum, { length }) => sum + length, 0);
  if (!isFrameOf(stored, bytes)) return false;
  let content: Buffer;
  try {
    content = await decompress(stored, Buffer.allocUnsafeSlow(bytes));
  } catch {
    return false;
  }
  let at = 0;
  const isWhole = chunks.every(({ id, length }) => {
    at += length;
    return blake3(content.subarray(at - length, at)).equals(id);
  });
  const { length } = content;
  freeBytes(content);
  return isWhole && length === bytes;
}
