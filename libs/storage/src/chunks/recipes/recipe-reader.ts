import { decompress } from '@mongodb-js/zstd';
import { blake3 } from '@napi-rs/blake-hash';
import { messageOf } from '#kernel/errors.js';
import { FragmentDamaged } from '../../errors.js';
import {
  decodeRecipeTable,
  domainOf,
  parseLines,
  RECIPE_FOOTER_BYTES,
  recipeTableBytes,
  type RecipeChunk,
  type RecipeFrame,
} from './recipe-format.js';

/** Bytes of the file that holds the recipe. */
export interface RecipeSource {
  readonly fragmentId: string;
  readonly bytes: number;
  /** Exactly these bytes, or it throws. */
  read(offset: number, length: number): Promise<Buffer>;
}

/** A chunk and where in the fragment's archive bytes it begins. */
export interface PlacedChunk extends RecipeChunk {
  readonly archiveOffset: number;
}

/** Reads a recipe, from anywhere on. Throws `FragmentDamaged` for what was not written so. */
export class RecipeReader {
  private constructor(
    private readonly source: RecipeSource,
    readonly domain: string,
    private readonly frames: readonly RecipeFrame[],
    /** Of all its chunks. */
    readonly archiveBytes: number,
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
    const domain = domainOf(await textOf(source, frames[0]!, 0));
    if (domain === undefined) throw damaged();
    const archiveBytes = frames.reduce((sum, frame) => sum + frame.archiveBytes, 0);
    return new RecipeReader(source, domain, frames, archiveBytes);
  }

  /** The chunks that the archive bytes from `offset` on come from, a frame of them at a time. */
  async *chunks(offset = 0): AsyncIterable<PlacedChunk[]> {
    let storedAt = 0;
    let archiveAt = 0;
    for (const frame of this.frames) {
      const end = archiveAt + frame.archiveBytes;
      if (frame.chunks > 0 && end > offset) yield await this.read(frame, storedAt, archiveAt);
      storedAt += frame.storedBytes;
      archiveAt = end;
    }
  }

  private async read(
    frame: RecipeFrame,
    storedAt: number,
    archiveAt: number,
  ): Promise<PlacedChunk[]> {
    const chunks = parseLines(await textOf(this.source, frame, storedAt));
    let at = archiveAt;
    const placed = chunks?.map(({ id, length }) => {
      const chunk = { id, length, archiveOffset: at };
      at += length;
      return chunk;
    });
    if (placed?.length !== frame.chunks || at !== archiveAt + frame.archiveBytes) {
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
