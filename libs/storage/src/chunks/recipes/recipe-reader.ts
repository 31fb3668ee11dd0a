import { decompress } from '#archive/frames/zstd.js';
import { blake3 } from '#kernel/blake3.js';
import { messageOf } from '#kernel/errors.js';
import type { PlacedChunk } from '../../chunk-intake.js';
import { FragmentDamaged } from '../../errors.js';
import {
  decodeRecipeTable,
  parseHead,
  parseLines,
  RECIPE_FOOTER_BYTES,
  recipeTableBytes,
  type RecipeFrame,
  type RecipeHead,
} from './recipe-format.js';

/** Bytes of the file that holds the recipe. */
export interface RecipeSource {
  readonly fragmentId: string;
  readonly bytes: number;
  /** Exactly these bytes, or it throws. */
  read(offset: number, length: number): Promise<Buffer>;
}

/** Reads a recipe, from anywhere on. Throws `FragmentDamaged` for what was not written so. */
export class RecipeReader {
  /** Whoever reads one range behind the other is in the same frame mostly. */
  private latest: { readonly storedAt: number; readonly chunks: PlacedChunk[] } | undefined;

  private constructor(
    private readonly source: RecipeSource,
    readonly head: RecipeHead,
    private readonly frames: readonly RecipeFrame[],
    /** Of all its chunks. */
    readonly chunkBytes: number,
  ) {}

  static async open(source: RecipeSource): Promise<RecipeReader> {
    const damaged = () => new FragmentDamaged(source.fragmentId, 'has a recipe without a table');
    if (source.bytes < RECIPE_FOOTER_BYTES) throw damaged();
    const footerAt = source.bytes - RECIPE_FOOTER_BYTES;
    const bytes = recipeTableBytes(await source.read(footerAt, RECIPE_FOOTER_BYTES));
    if (bytes === undefined || bytes > source.bytes) throw damaged();
    const frames = decodeRecipeTable(await source.read(source.bytes - bytes, bytes));
    const stored = frames?.reduce((sum, { storedBytes }) => sum + storedBytes, 0);
    if (!frames || stored !== source.bytes - bytes) throw damaged();
    const head = parseHead(await textOf(source, frames[0]!, 0));
    if (!head) throw damaged();
    const chunkBytes = frames.reduce((sum, { bytes: some }) => sum + some, 0);
    return new RecipeReader(source, head, frames, chunkBytes);
  }

  /** The chunks that the bytes from `offset` on come from, a frame of them at a time. */
  async *chunks(offset = 0): AsyncIterable<readonly PlacedChunk[]> {
    let storedAt = 0;
    let chunksAt = 0;
    for (const frame of this.frames) {
      const end = chunksAt + frame.bytes;
      if (frame.chunks > 0 && end > offset) {
        if (this.latest?.storedAt !== storedAt) {
          this.latest = { storedAt, chunks: await this.read(frame, storedAt, chunksAt) };
        }
        yield this.latest.chunks;
      }
      storedAt += frame.storedBytes;
      chunksAt = end;
    }
  }

  private async read(
    frame: RecipeFrame,
    storedAt: number,
    chunksAt: number,
  ): Promise<PlacedChunk[]> {
    const chunks = parseLines(await textOf(this.source, frame, storedAt));
    let at = chunksAt;
    const placed = chunks?.map(({ id, length }) => {
      const chunk = { id, length, offset: at };
      at += length;
      return chunk;
    });
    if (placed?.length !== frame.chunks || at !== chunksAt + frame.bytes) {
      throw new FragmentDamaged(this.source.fragmentId, 'has a recipe that holds what is no chunk');
    }
    return placed;
  }
}

async function textOf(source: RecipeSource, frame: RecipeFrame, at: number): Promise<string> {
  const stored = await source.read(at, frame.storedBytes);
  if (!blake3(stored).equals(frame.digest)) {
    throw new FragmentDamaged(source.fragmentId, `has another digest in its recipe at byte ${at}`);
  }
  try {
    return (await decompress(stored)).toString('latin1');
  } catch (error) {
    throw new FragmentDamaged(source.fragmentId, `has a recipe that ends: ${messageOf(error)}`);
  }
}
