import { Blake3Hasher, blake3 } from '@napi-rs/blake-hash';
import { TarChunker, type ChunkerStart } from '#archive/chunking/tar-chunker.js';
import type { NamedChunk } from '../chunk-messages.js';
import { Pieces } from './pieces.js';

/** The chunks of a fragment's archive bytes, which come in pieces. It holds one chunk, and 64 KiB more. */
export class FragmentChunks {
  readonly #chunker: TarChunker;
  readonly #pieces = new Pieces();
  /** Where the first piece begins. */
  #begin = 0;
  #whole: NamedChunk[] = [];

  constructor(start: ChunkerStart) {
    this.#chunker = new TarChunker(start, (end) => this.#whole.push(this.#take(end - this.#begin)));
  }

  /** Takes the next piece, which must not change from now on. @returns the chunks that it ends */
  push(piece: Buffer): NamedChunk[] {
    this.#pieces.push(piece);
    this.#chunker.push(piece);
    return this.#takeWhole();
  }

  /** Nothing follows. @returns the last chunks */
  end(): NamedChunk[] {
    this.#chunker.end();
    return this.#takeWhole();
  }

  #takeWhole(): NamedChunk[] {
    const whole = this.#whole;
    this.#whole = [];
    return whole;
  }

  #take(length: number): NamedChunk {
    this.#begin += length;
    return { id: idOf(this.#pieces.take(length)), length };
  }
}

function idOf(pieces: readonly Buffer[]): Buffer {
  if (pieces.length === 1) return blake3(pieces[0]!);
  const hasher = new Blake3Hasher();
  for (const piece of pieces) hasher.update(piece);
  return hasher.digestBuffer();
}
