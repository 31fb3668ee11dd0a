import { compress } from '#archive/frames/zstd.js';
import type { ChunkEntry, ChunkFrame, ChunkSource, PlacedChunk } from '../../chunk-intake.js';
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

  list(from = 0): AsyncIterable<readonly PlacedChunk[]> {
    return this.recipe.chunks(from);
  }

  async *frames(chunks: readonly ChunkEntry[], wholeFrom = 1): AsyncIterable<ChunkFrame> {
    const wanted = new Set(chunks.map(({ id }) => idText(id)));
    let loose: { chunk: ChunkEntry; bytes: Buffer }[] = [];
    let looseBytes = 0;
    for (const located of await this.reader.locate(chunks)) {
      const { chunk } = located;
      if (!wanted.has(idText(chunk.id))) continue;
      const neighbours = await this.reader.neighbours(located);
      if (shareOf(neighbours, wanted) >= wholeFrom) {
        for (const { id } of neighbours) wanted.delete(idText(id));
        yield { ...(await this.reader.stored(located)), chunks: neighbours };
        continue;
      }
      wanted.delete(idText(chunk.id));
      if (looseBytes > 0 && looseBytes + chunk.length > LOOSE_BYTES) {
        yield await together(loose);
        loose = [];
        looseBytes = 0;
      }
      loose.push({ chunk, bytes: Buffer.from(await this.reader.read(located)) });
      looseBytes += chunk.length;
    }
    if (loose.length > 0) yield await together(loose);
  }
}

/** Of the bytes of a frame, how much is wanted: 0 to 1. */
function shareOf(chunks: readonly ChunkEntry[], wanted: ReadonlySet<string>): number {
  let bytes = 0;
  let all = 0;
  for (const { id, length } of chunks) {
    all += length;
    if (wanted.has(idText(id))) bytes += length;
  }
  return bytes / all;
}

async function together(
  chunks: readonly { chunk: ChunkEntry; bytes: Buffer }[],
): Promise<ChunkFrame> {
  const stored = await compress(Buffer.concat(chunks.map(({ bytes }) => bytes)), LEVEL);
  return { stored, chunks: chunks.map(({ chunk: { id, length } }) => ({ id, length })) };
}
