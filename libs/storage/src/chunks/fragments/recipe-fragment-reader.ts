import type { Manifest } from '#archive/manifest.js';
import type { ChunkSource } from '../../chunk-intake.js';
import { FragmentDamaged, FragmentUnreadable } from '../../errors.js';
import {
  READ_BYTES_MAX,
  type FragmentObject,
  type SealedFragmentReader,
} from '../../fragment-store.js';
import { checkRange } from '../../read-range.js';
import type { ChunkVolume } from '../chunk-volume.js';
import { RecipeReader } from '../recipes/recipe-reader.js';
import { ChunkReader } from './chunk-reader.js';
import { RawLayout } from './raw-layout.js';
import { digestOfData } from './data-digest.js';
import { RecipeBytes } from './recipe-bytes.js';
import { RecipeChunks } from './recipe-chunks.js';

/** A fragment whose data are made, as they are read, of its recipe's chunks. */
export class RecipeFragmentReader implements SealedFragmentReader {
  private readonly bytes: RecipeBytes;
  private turn: Promise<unknown> = Promise.resolve();

  private constructor(
    private readonly file: SealedFragmentReader,
    private readonly recipe: RecipeReader,
    private readonly reader: ChunkReader,
    /** Undefined where the chunks are the data. */
    private readonly layout: RawLayout | undefined,
  ) {
    this.bytes = new RecipeBytes(file.manifest.fragmentId, recipe, reader);
  }

  /** @param file The recipe as it lies on the disk; it is taken over: `close` closes it too. */
  static async open(
    volume: ChunkVolume,
    file: SealedFragmentReader,
  ): Promise<RecipeFragmentReader> {
    try {
      const { fragmentId, archiveBytes, storedBytes } = file.manifest;
      const recipe = await RecipeReader.open({
        fragmentId,
        bytes: file.size('data'),
        read: (offset, length) => readAll(file, offset, length),
      });
      const { domain, frameBytes } = recipe.head;
      const layout = frameBytes === undefined ? undefined : new RawLayout(archiveBytes, frameBytes);
      const isOfManifest =
        recipe.chunkBytes === (layout ? archiveBytes : storedBytes) &&
        storedBytes === (layout?.bytes ?? storedBytes);
      if (!isOfManifest) {
        throw new FragmentDamaged(fragmentId, 'has a recipe of another length than its manifest');
      }
      const reader = new ChunkReader(volume, fragmentId, domain);
      return new RecipeFragmentReader(file, recipe, reader, layout);
    } catch (error) {
      await file.close();
      throw unreadable(error);
    }
  }

  get manifest(): Manifest {
    return this.file.manifest;
  }

  /** Not while data are being read. */
  get chunks(): ChunkSource {
    return new RecipeChunks(this.recipe, this.reader);
  }

  size(object: FragmentObject): number {
    return object === 'data' ? this.manifest.storedBytes : this.manifest.indexBytes;
  }

  async read(
    object: FragmentObject,
    offset: number,
    length: number,
    into?: Buffer,
  ): Promise<Buffer> {
    checkRange(this, { object, offset, length });
    if (object === 'index') return this.file.read(object, offset, length, into);
    try {
      const target = into?.subarray(0, length) ?? Buffer.allocUnsafeSlow(length);
      await this.inTurn(() => this.fill(target, offset));
      return target;
    } catch (error) {
      throw unreadable(error);
    }
  }

  async digestData(onBytes: (bytes: number) => void): Promise<string | undefined> {
    const { recipe, reader, layout } = this;
    return this.inTurn(() => digestOfData({ recipe, reader, layout }, onBytes));
  }

  async close(): Promise<void> {
    await this.turn;
    await this.reader.close();
    await this.file.close();
  }

  private async fill(target: Buffer, offset: number): Promise<void> {
    if (!this.layout) return this.bytes.fill(target, offset);
    for (const { made, archiveAt, at, bytes } of this.layout.parts(offset, target.length)) {
      if (made) made.copy(target, at);
      else await this.bytes.fill(target.subarray(at, at + bytes), archiveAt);
    }
  }

  private inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = this.turn.then(work);
    this.turn = result.catch(() => undefined);
    return result;
  }
}

/** A recipe that is damaged is found as it is read, and to its readers that is all it is. */
function unreadable(error: unknown): unknown {
  return error instanceof FragmentDamaged
    ? new FragmentUnreadable(error.fragmentId, error.reason)
    : error;
}

async function readAll(
  fragment: SealedFragmentReader,
  offset: number,
  length: number,
): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for (let at = 0; at < length; at += READ_BYTES_MAX) {
    pieces.push(await fragment.read('data', offset + at, Math.min(READ_BYTES_MAX, length - at)));
  }
  return Buffer.concat(pieces);
}
