import { Blake3Hasher } from '@napi-rs/blake-hash';
import type { Manifest } from '#archive/manifest.js';
import { assert } from '#kernel/assert.js';
import type { FragmentName } from '../fragment-name.js';
import type { FragmentWriter } from '../fragment-store.js';
import type { ChunkVolume } from './chunk-volume.js';
import type { ChunkMap } from './index/chunk-map.js';
import { readRecipe } from './recipe-files.js';
import { RecipeEncoder } from './recipes/recipe-encoder.js';
import type { RecipeChunk } from './recipes/recipe-format.js';

/** What a manifest has to say of a recipe: `storedBytes` and `digest` are those of its file. */
export interface RecipeMeasures {
  readonly archiveBytes: number;
  readonly storedBytes: number;
  readonly digest: string;
  readonly indexBytes: number;
}

/** A fragment being written whose data is a recipe. Calls come one at a time. */
export class ChunkFragmentWriter {
  private readonly hash = new Blake3Hasher();
  private readonly encoder: RecipeEncoder;

  private constructor(
    private readonly volume: ChunkVolume,
    private readonly session: { readonly domain: string; flush(): Promise<void> },
    private readonly writer: FragmentWriter,
    private readonly raising: { map: ChunkMap; begun: boolean },
  ) {
    this.encoder = new RecipeEncoder(session.domain, async (bytes) => {
      this.hash.update(bytes);
      await writer.writeData([bytes]);
    });
  }

  static async create(
    name: FragmentName,
    volume: ChunkVolume,
    session: { readonly domain: string; flush(): Promise<void> },
  ): Promise<ChunkFragmentWriter> {
    const raising = { map: volume.places.hold(), begun: false };
    try {
      const writer = await volume.recipes.create(name, async () => {
        await volume.between('seal: the recipe is durable, nothing counts it');
        raising.begun = true;
        await volume.references.raise(name, raising.map);
      });
      return new ChunkFragmentWriter(volume, session, writer, raising);
    } catch (error) {
      volume.places.letGo(raising.map);
      throw error;
    }
  }

  /** Appends chunks that are here (the session was told so) or that were added to the session. */
  add(chunks: readonly RecipeChunk[]): Promise<void> {
    return this.encoder.add(chunks);
  }

  writeIndex(pieces: readonly Buffer[]): Promise<void> {
    return this.writer.writeIndex(pieces);
  }

  /**
   * Makes the fragment durable and visible. Its chunks are durable before its recipe is, and count
   * before it appears. Throws `InvalidInput`, and then nothing counts, if one of them is not here.
   */
  async seal(manifestOf: (measures: RecipeMeasures) => Manifest): Promise<Manifest> {
    const { volume, writer, encoder } = this;
    const { name } = writer;
    await this.session.flush();
    await encoder.finish();
    const manifest = manifestOf({
      archiveBytes: encoder.archiveBytes,
      storedBytes: writer.dataBytes,
      digest: this.hash.digest('hex'),
      indexBytes: writer.indexBytes,
    });
    assert(manifest.archiveBytes === encoder.archiveBytes, 'a manifest of another recipe');
    // Read back, so that what counts is what was written.
    const path = volume.recipeFiles.partialPath(name);
    await readRecipe(name.fragmentId, path, (recipe) =>
      volume.references.holdAll(recipe, this.raising.map),
    );
    await writer.seal(manifest);
    await volume.between('seal: it is visible');
    await volume.ledger.add({ type: 'SHOWN', fragmentId: name.fragmentId });
    volume.places.letGo(this.raising.map);
    return manifest;
  }

  /** Leaves what was written where it is. Never throws. */
  async abandon(): Promise<void> {
    await this.writer.abandon();
    // Where the ledger may have it and the index not, its chunks stay until `catchUp` has mended that.
    if (!this.raising.begun) this.volume.places.letGo(this.raising.map);
  }
}
