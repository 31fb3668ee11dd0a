import { FragmentDamaged } from '../../errors.js';
import type { PlacedChunk, RecipeReader } from '../recipes/recipe-reader.js';
import type { ChunkReader, Located } from './chunk-reader.js';

/** The bytes that a recipe's chunks make. Calls come one at a time. */
export class RecipeBytes {
  private chunks: Located<PlacedChunk>[] = [];
  /** The chunk that was read last: a large one is asked for several times. */
  private last: { readonly of: Located; readonly bytes: Buffer } | undefined;

  constructor(
    private readonly fragmentId: string,
    private readonly recipe: RecipeReader,
    private readonly reader: ChunkReader,
  ) {}

  /** Exactly these bytes. Throws `FragmentUnreadable` or `FragmentDamaged`. */
  async read(offset: number, length: number): Promise<Buffer> {
    const bytes = Buffer.allocUnsafe(length);
    for (let filled = 0; filled < length;) {
      const located = await this.chunkAt(offset + filled);
      const from = offset + filled - located.chunk.offset;
      filled += (await this.bytesOf(located)).copy(bytes, filled, from);
    }
    return bytes;
  }

  private async chunkAt(offset: number): Promise<Located<PlacedChunk>> {
    const first = this.chunks[0]?.chunk;
    const last = this.chunks.at(-1)?.chunk;
    const isIn = first && last && offset >= first.offset && offset < last.offset + last.length;
    if (!isIn) this.chunks = await this.locate(offset);
    let [low, high] = [0, this.chunks.length - 1];
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.chunks[middle]!.chunk.offset <= offset) low = middle;
      else high = middle - 1;
    }
    return this.chunks[low]!;
  }

  private async locate(offset: number): Promise<Located<PlacedChunk>[]> {
    for await (const chunks of this.recipe.chunks(offset)) return this.reader.locate(chunks);
    throw new FragmentDamaged(this.fragmentId, `has no chunk for byte ${offset}`);
  }

  private async bytesOf(located: Located): Promise<Buffer> {
    if (this.last?.of !== located) {
      this.last = { of: located, bytes: await this.reader.read(located) };
    }
    return this.last.bytes;
  }
}
