import { blake3 } from '#kernel/blake3.js';
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
    return { id: blake3(...this.#pieces.take(length)), length };
  }
}
