import type { CutMemory } from '#archive/chunking/known-cuts.js';
import type { ChunkerStart } from '#archive/chunking/tar-chunker.js';
import { rawFrameContent } from '#archive/frames/raw-frame.js';
import { CHUNK_ID_BYTES } from '#archive/chunking/chunk-size.js';
import type { NamedChunk } from '#transfer/chunk-messages.js';
import { FragmentChunks } from '#transfer/chunks/fragment-chunks.js';

/** Chunks on their way to another thread: an object for each would cost more than to cut it. */
export interface PackedChunks {
  readonly ids: Uint8Array;
  readonly lengths: Uint32Array;
}

/**
 * Cuts an archive into chunks, fragment by fragment, while what was read lies in the processor's cache. It looks at a
 * frame until the last of its chunks was given: until then nobody may change it.
 */
export class ChunkCutter {
  #chunks: FragmentChunks;

  /** @param start of the first fragment */
  constructor(
    start: ChunkerStart,
    private readonly memory: CutMemory,
  ) {
    this.#chunks = new FragmentChunks(start, memory);
  }

  /** Takes a raw frame. @returns the chunks that it ends */
  frame(frame: Buffer): PackedChunks {
    return packed(rawFrameContent(frame).flatMap((piece) => this.#chunks.push(piece)));
  }

  /** Ends the fragment. @param entryLeft archive bytes of the entry that it ends in, which open the next one */
  end(entryLeft: number): PackedChunks {
    const last = packed(this.#chunks.end());
    this.#chunks = new FragmentChunks({ archiveOffset: 0, entryLeft }, this.memory);
    return last;
  }
}

function packed(chunks: readonly NamedChunk[]): PackedChunks {
  const ids = new Uint8Array(chunks.length * CHUNK_ID_BYTES);
  chunks.forEach(({ id }, n) => ids.set(id, n * CHUNK_ID_BYTES));
  return { ids, lengths: Uint32Array.from(chunks, ({ length }) => length) };
}

/** The chunks again. Their ids share memory. */
export function unpacked({ ids, lengths }: PackedChunks): NamedChunk[] {
  const all = Buffer.from(ids.buffer, ids.byteOffset, ids.length);
  return Array.from(lengths, (length, n) => {
    const id = all.subarray(n * CHUNK_ID_BYTES, (n + 1) * CHUNK_ID_BYTES);
    return { id, length };
  });
}
