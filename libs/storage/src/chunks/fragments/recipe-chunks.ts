import { compress } from '@mongodb-js/zstd';
import type { ChunkEntry, ChunkFrame, ChunkSource } from '../../chunk-intake.js';
import { idText } from '../chunk-id.js';
import type { RecipeReader } from '../recipes/recipe-reader.js';
import type { ChunkReader } from './chunk-reader.js';

/** Chunks whose frames are not wanted whole are put together up to this. */
const LOOSE_BYTES = 1024 * 1024;
const LEVEL = 3;

/** The chunks of a recipe, for a volume that has some of them already. One call at a time. */
export class RecipeChunks implements ChunkSource {
  constructor(
    private readonly recipe: RecipeReader,
    private readonly reader: ChunkReader,
  ) {}

  get domain(): string {
    return this.recipe.head.domain;
  }

  get frameBytes(): number | undefined {
    return this.recipe.head.frameBytes;
  }

  list(): AsyncIterable<readonly ChunkEntry[]> {
    return this.recipe.chunks();
  }

  /** A frame that is wanted whole goes as it is stored. */
  async *frames(chunks: readonly ChunkEntry[]): AsyncIterable<ChunkFrame> {
    const wanted = new Set(chunks.map(({ id }) => idText(id)));
    let loose: { chunk: ChunkEntry; bytes: Buffer }[] = [];
    let looseBytes = 0;
    for (const located of await this.reader.locate(chunks)) {
      const { chunk } = located;
      if (!wanted.delete(idText(chunk.id))) continue;
      const frame = await this.reader.frameOf(located);
      const others = frame.chunks.filter(({ id }) => !id.equals(chunk.id));
      if (others.every(({ id }) => wanted.has(idText(id)))) {
        for (const { id } of others) wanted.delete(idText(id));
        yield await this.reader.noticing(() => frame.read(), frame);
        continue;
      }
      if (looseBytes > 0 && looseBytes + chunk.length > LOOSE_BYTES) {
        yield await together(loose);
        loose = [];
        looseBytes = 0;
      }
      loose.push({ chunk, bytes: await this.reader.read(located) });
      looseBytes += chunk.length;
    }
    if (loose.length > 0) yield await together(loose);
  }
}

async function together(
  chunks: readonly { chunk: ChunkEntry; bytes: Buffer }[],
): Promise<ChunkFrame> {
  const stored = await compress(Buffer.concat(chunks.map(({ bytes }) => bytes)), LEVEL);
  return { stored, chunks: chunks.map(({ chunk: { id, length } }) => ({ id, length })) };
}
