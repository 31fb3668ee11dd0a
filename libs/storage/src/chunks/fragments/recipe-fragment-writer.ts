import { Blake3Hasher } from '@napi-rs/blake-hash';
import type { Manifest } from '#archive/manifest.js';
import { assert } from '#kernel/assert.js';
import { InvalidInput } from '#kernel/errors.js';
import type { ChunkEntry, RecipeWriter } from '../../chunk-intake.js';
import type { DirectoryFragmentWriter } from '../../directory/directory-fragment-writer.js';
import { FirstFailure } from '../../first-failure.js';
import type { FragmentName } from '../../fragment-name.js';
import type { ChunkVolume } from '../chunk-volume.js';
import type { ChunkMap } from '../index/chunk-map.js';
import { readRecipe } from '../recipe-files.js';
import { RecipeEncoder } from '../recipes/recipe-encoder.js';
import type { RecipeHead } from '../recipes/recipe-format.js';
import { RawLayout } from './raw-layout.js';

/** What a fragment is begun with: its name, and how its chunks make its data. */
export interface RecipeStart extends RecipeHead {
  readonly name: FragmentName;
  /** Makes durable what was added to the session. */
  readonly flush: () => Promise<void>;
  /** Adds chunks to a held map where the session knows their places, and keeps them there; else false. */
  readonly hold: (chunks: readonly ChunkEntry[], map: ChunkMap) => boolean;
}

/** A fragment being written whose data is a recipe. Calls come one at a time. */
export class RecipeFragmentWriter implements RecipeWriter {
  private readonly hash = new Blake3Hasher();
  private encoder: RecipeEncoder;
  private readonly failure = new FirstFailure();
  /** Whether all chunks that were named are in the map that is raised. */
  private areHeld = true;

  private constructor(
    private readonly volume: ChunkVolume,
    private start: RecipeStart,
    private readonly file: DirectoryFragmentWriter,
    private readonly raising: { map: ChunkMap; begun: boolean },
  ) {
    this.encoder = this.encode();
  }

  /** Throws `InvalidInput` for a size of frames that is none. */
  static async create(volume: ChunkVolume, start: RecipeStart): Promise<RecipeFragmentWriter> {
    const { name, frameBytes } = start;
    if (frameBytes !== undefined) new RawLayout(0, frameBytes);
    await expectNew(volume, name);
    const raising = { map: volume.places.hold(), begun: false };
    try {
      const file = await volume.recipes.create(name, async () => {
        await volume.between('seal: the recipe is durable, nothing counts it');
        raising.begun = true;
        await volume.references.raise(name, raising.map);
      });
      return new RecipeFragmentWriter(volume, start, file, raising);
    } catch (error) {
      volume.places.letGo(raising.map);
      throw error;
    }
  }

  get name(): FragmentName {
    return this.start.name;
  }

  get indexBytes(): number {
    return this.file.indexBytes;
  }

  add(chunks: readonly ChunkEntry[]): Promise<void> {
    return this.failure.attempt(async () => {
      await this.encoder.add(chunks);
      this.areHeld &&= this.start.hold(chunks, this.raising.map);
    });
  }

  /** From here on, and before anything is added: its chunks are archive bytes in frames of this. */
  useFrames(frameBytes: number): void {
    assert(this.encoder.chunkBytes === 0, 'chunks were added to a recipe of another kind');
    this.start = { ...this.start, frameBytes };
    this.encoder = this.encode();
  }

  writeIndex(pieces: readonly Buffer[]): Promise<void> {
    return this.failure.attempt(() => this.file.writeIndex(pieces));
  }

  /**
   * Makes the fragment durable and visible. Its chunks are durable before its recipe is, and count
   * before it appears. Throws `InvalidInput`, and then nothing counts, if one of them is not here.
   */
  async seal(manifest: Manifest): Promise<void> {
    const { volume, name } = this;
    this.expectSizes(manifest);
    await this.failure.attempt(async () => {
      await this.start.flush();
      await this.encoder.finish();
      const digest = this.hash.digest('hex');
      await this.holdAll(digest);
      await this.file.sealRecipe(manifest, digest);
      await volume.between('seal: it is visible');
      await volume.ledger.add({ type: 'SHOWN', fragmentId: name.fragmentId });
    });
    volume.places.letGo(this.raising.map);
  }

  async abandon(): Promise<void> {
    await this.file.abandon();
    this.letGo();
  }

  async discard(): Promise<boolean> {
    const isGone = await this.file.discard();
    this.letGo();
    return isGone;
  }

  private letGo(): void {
    // Where the ledger may have it and the index not, its chunks stay until `catchUp` has mended that.
    if (!this.raising.begun) this.volume.places.letGo(this.raising.map);
  }

  /** Read back, so that what counts is what was written. */
  private async holdAll(digest: string): Promise<void> {
    const { volume, name } = this;
    await this.file.expectData(digest);
    if (this.areHeld) return;
    const path = volume.recipeFiles.partialPath(name);
    await readRecipe(name.fragmentId, path, (recipe) =>
      volume.references.holdAll(recipe, this.raising.map),
    );
  }

  private encode(): RecipeEncoder {
    return new RecipeEncoder(this.start, async (bytes) => {
      this.hash.update(bytes);
      await this.file.writeData([bytes]);
    });
  }

  private expectSizes({ archiveBytes, storedBytes, indexBytes }: Manifest): void {
    const { frameBytes } = this.start;
    const { chunkBytes } = this.encoder;
    const dataBytes =
      frameBytes === undefined ? chunkBytes : new RawLayout(chunkBytes, frameBytes).bytes;
    if (frameBytes !== undefined && archiveBytes !== chunkBytes) {
      const reason = `is ${archiveBytes}, and its chunks come to ${chunkBytes}`;
      throw new InvalidInput(reason, 'archiveBytes');
    }
    if (storedBytes !== dataBytes) {
      throw new InvalidInput(`is ${storedBytes}, and its data ${dataBytes}`, 'storedBytes');
    }
    assert(indexBytes === this.indexBytes, 'indexBytes is not what was written');
  }
}

/** An id that counts, or ever counted, here would count once for two fragments. */
async function expectNew(volume: ChunkVolume, { fragmentId }: FragmentName): Promise<void> {
  const isKnown = volume.ledger.state.get(fragmentId) !== undefined;
  if (isKnown || (await volume.places.isHolder(fragmentId))) {
    throw new Error(`Fragment ${fragmentId} is there already`);
  }
}
