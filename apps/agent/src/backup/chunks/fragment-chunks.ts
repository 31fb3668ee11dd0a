import { Blake3Hasher, blake3 } from '@napi-rs/blake-hash';
import { TarChunker, type ChunkerStart } from '#archive/chunking/tar-chunker.js';
import type { NamedChunk } from '#transfer/chunk-messages.js';

/** A run of archive bytes, in the pieces in which it came. */
export interface Chunk extends NamedChunk {
  readonly pieces: readonly Buffer[];
}

/** The chunks of a fragment's archive bytes, which come in pieces. It holds one chunk, and 64 KiB more. */
export class FragmentChunks {
  readonly #chunker: TarChunker;
  readonly #pieces: Buffer[] = [];
  /** Where the first piece begins. */
  #begin = 0;
  #whole: Chunk[] = [];

  constructor(start: ChunkerStart) {
    this.#chunker = new TarChunker(start, (end) => this.#whole.push(this.#take(end - this.#begin)));
  }

  /** Takes the next piece, which must not change from now on. @returns the chunks that it ends */
  push(piece: Buffer): Chunk[] {
    this.#pieces.push(piece);
    this.#chunker.push(piece);
    return this.#takeWhole();
  }

  /** Nothing follows. @returns the last chunks */
  end(): Chunk[] {
    this.#chunker.end();
    return this.#takeWhole();
  }

  #takeWhole(): Chunk[] {
    const whole = this.#whole;
    this.#whole = [];
    return whole;
  }

  #take(length: number): Chunk {
    const pieces: Buffer[] = [];
    for (let missing = length; missing > 0;) {
      const first = this.#pieces[0]!;
      pieces.push(first.subarray(0, missing));
      if (first.length > missing) this.#pieces[0] = first.subarray(missing);
      else this.#pieces.shift();
      missing -= Math.min(missing, first.length);
    }
    this.#begin += length;
    return { id: idOf(pieces), length, pieces };
  }
}

function idOf(pieces: readonly Buffer[]): Buffer {
  if (pieces.length === 1) return blake3(pieces[0]!);
  const hasher = new Blake3Hasher();
  for (const piece of pieces) hasher.update(piece);
  return hasher.digestBuffer();
}
