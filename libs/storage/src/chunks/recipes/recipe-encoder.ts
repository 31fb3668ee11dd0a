import { CHUNK_BYTES_MAX, CHUNK_ID_BYTES } from '#archive/chunking/chunk-size.js';
import { compress } from '#archive/frames/zstd.js';
import { blake3 } from '#kernel/blake3.js';
import { InvalidInput } from '#kernel/errors.js';
import type { ChunkEntry } from '../../chunk-intake.js';
import {
  CHUNKS_PER_RECIPE_FRAME,
  encodeRecipeTable,
  RECIPE_FRAMES_MAX,
  recipeHead,
  recipeLine,
  type RecipeFrame,
  type RecipeHead,
} from './recipe-format.js';

/**
 * Makes a recipe of chunks in their order, and gives its bytes to `write` as they come, at most a
 * frame at a time. Calls come one at a time.
 */
export class RecipeEncoder {
  private readonly frames: RecipeFrame[] = [];
  private waiting: ChunkEntry[] = [];
  /** What its chunks come to so far. */
  chunkBytes = 0;

  constructor(
    private readonly head: RecipeHead,
    private readonly write: (bytes: Buffer) => Promise<void>,
  ) {}

  /** Throws `InvalidInput` for what is no chunk, or for more chunks than a recipe holds. */
  async add(chunks: readonly ChunkEntry[]): Promise<void> {
    for (const { id, length } of chunks) {
      const isChunk = id.length === CHUNK_ID_BYTES && Number.isInteger(length) && length > 0;
      if (!isChunk || length > CHUNK_BYTES_MAX) throw new InvalidInput('is no chunk', 'recipe');
    }
    for (const chunk of chunks) {
      this.waiting.push(chunk);
      this.chunkBytes += chunk.length;
      if (this.waiting.length === CHUNKS_PER_RECIPE_FRAME) await this.flush();
    }
  }

  /** Ends the recipe with its table. */
  async finish(): Promise<void> {
    if (this.waiting.length > 0 || this.frames.length === 0) await this.flush();
    await this.write(encodeRecipeTable(this.frames));
  }

  private async flush(): Promise<void> {
    if (this.frames.length === 0) await this.frame(recipeHead(this.head), []);
    const chunks = this.waiting;
    this.waiting = [];
    if (chunks.length > 0) await this.frame(chunks.map(recipeLine).join(''), chunks);
  }

  private async frame(text: string, chunks: readonly ChunkEntry[]): Promise<void> {
    if (this.frames.length >= RECIPE_FRAMES_MAX - 1) {
      throw new InvalidInput('has more chunks than a recipe holds', 'recipe');
    }
    const stored = await compress(Buffer.from(text), 3);
    await this.write(stored);
    this.frames.push({
      storedBytes: stored.length,
      chunks: chunks.length,
      bytes: chunks.reduce((sum, { length }) => sum + length, 0),
      digest: blake3(stored),
    });
  }
}
