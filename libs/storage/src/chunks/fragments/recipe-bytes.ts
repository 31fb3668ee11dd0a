import type { PlacedChunk } from '../../chunk-intake.js';
import { FragmentDamaged } from '../../errors.js';
import type { RecipeReader } from '../recipes/recipe-reader.js';
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

  /** Fills `target` with the bytes from `offset` on. Throws `FragmentUnreadable` or `FragmentDamaged`. */
  async fill(target: Buffer, offset: number): Promise<void> {
    for (let filled = 0; filled < target.length;) {
      const at = offset + filled;
      if (!this.isIn(at)) this.chunks = await this.locate(at);
      const located = this.chunkAt(at);
      // Small chunks mostly lie in the frame before: to wait for each would take longer than to copy it.
      const bytes = this.known(located) ?? (await this.bytesOf(located));
      filled += bytes.copy(target, filled, at - located.chunk.offset);
    }
  }

  private isIn(offset: number): boolean {
    const first = this.chunks[0]?.chunk;
    const last = this.chunks.at(-1)?.chunk;
    return first !== undefined && offset >= first.offset && offset < last!.offset + last!.length;
  }

  private chunkAt(offset: number): Located<PlacedChunk> {
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

  private known(located: Located): Buffer | undefined {
    if (this.last?.of === located) return this.last.bytes;
    const bytes = this.reader.peek(located);
    if (bytes) this.last = { of: located, bytes };
    return bytes;
  }

  private async bytesOf(located: Located): Promise<Buffer> {
    // What was read before may be gone from now on, also where this fails.
    this.last = undefined;
    this.last = { of: located, bytes: await this.reader.read(located) };
    return this.last.bytes;
  }
}
