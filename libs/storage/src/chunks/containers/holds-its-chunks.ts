import { isFrameOf } from '#archive/frames/frame-bound.js';
import { rawContentBytes, rawFrameContent } from '#archive/frames/raw-frame.js';
import { decompress } from '#archive/frames/zstd.js';
import { blake3 } from '#kernel/blake3.js';
import type { ChunkEntry, ChunkFrame } from '../../chunk-intake.js';
import type { PieceBuffers } from './container-reader.js';

/** Whether each chunk of a frame is what its id says, and the frame is nothing else: unpacks and hashes all of it. */
export async function holdsItsChunks(
  { stored, chunks }: ChunkFrame,
  buffers: PieceBuffers,
): Promise<boolean> {
  const bytes = chunks.reduce((sum, { length }) => sum + length, 0);
  if (!isFrameOf(stored, bytes)) return false;
  // What is not compressed is hashed where it lies.
  if (rawContentBytes(stored) === bytes) return areTheirs(rawFrameContent(stored), chunks);
  const room = buffers.take(bytes);
  try {
    const content = await decompress(stored, room);
    return content.length === bytes && areTheirs([content], chunks);
  } catch {
    return false;
  } finally {
    buffers.giveBack(room);
  }
}

/** @param parts As many bytes as the chunks have, in their order. */
function areTheirs(parts: readonly Buffer[], chunks: readonly ChunkEntry[]): boolean {
  const rest = parts.values();
  let part: Buffer = Buffer.alloc(0);
  return chunks.every(({ id, length }) => {
    const pieces: Buffer[] = [];
    for (let left = length; left > 0; left -= pieces.at(-1)!.length) {
      if (part.length === 0) part = rest.next().value!;
      pieces.push(part.subarray(0, left));
      part = part.subarray(pieces.at(-1)!.length);
    }
    return blake3(pieces).equals(id);
  });
}
