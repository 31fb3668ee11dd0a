import { blake3 } from '#kernel/blake3.js';
import type { CutMemory } from '#archive/chunking/known-cuts.js';
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

  /** @param memory see `TarChunker` */
  constructor(start: ChunkerStart, memory?: CutMemory) {
    const cut = (end: number, id?: Buffer) => void this.#whole.push(this.#take(end, id));
    this.#chunker = new TarChunker(start, cut, memory);
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

  #take(end: number, id: Buffer | undefined): NamedChunk {
    const length = end - this.#begin;
    this.#begin = end;
    const pieces = this.#pieces.take(length);
    return { id: id ?? blake3(pieces), length };
  }
}
