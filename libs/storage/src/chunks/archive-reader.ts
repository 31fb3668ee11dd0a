import type { Manifest } from '#archive/manifest.js';
import { ContainerDamaged, FragmentDamaged, FragmentUnreadable } from '../errors.js';
import { READ_BYTES_MAX, type SealedFragmentReader } from '../fragment-store.js';
import { IDS_PER_BATCH_MAX } from './chunk-id.js';
import type { ChunkVolume } from './chunk-volume.js';
import { OpenContainers } from './containers/open-containers.js';
import type { Place } from './index/chunk-map.js';
import { RecipeReader, type PlacedChunk } from './recipes/recipe-reader.js';

const TRIES_MAX = 10;

interface Located extends PlacedChunk {
  place: Place | undefined;
}

/**
 * The archive bytes of a fragment whose data is a recipe. A collection that moves its chunks meanwhile
 * makes no difference. Every frame is checked by its digest and every chunk by its id. Calls come one
 * at a time.
 */
export class ArchiveReader {
  private chunks: Located[] = [];

  private constructor(
    private readonly volume: ChunkVolume,
    private readonly fragment: SealedFragmentReader,
    private readonly recipe: RecipeReader,
    private readonly containers: OpenContainers,
  ) {}

  /** Takes the fragment over: `close` closes it too. */
  static async open(volume: ChunkVolume, fragment: SealedFragmentReader): Promise<ArchiveReader> {
    try {
      const { fragmentId, archiveBytes } = fragment.manifest;
      const recipe = await RecipeReader.open({
        fragmentId,
        bytes: fragment.size('data'),
        read: (offset, length) => readAll(fragment, offset, length),
      });
      if (recipe.archiveBytes !== archiveBytes) {
        throw new FragmentDamaged(fragmentId, 'has a recipe of another length than its manifest');
      }
      return new ArchiveReader(volume, fragment, recipe, new OpenContainers(volume.files));
    } catch (error) {
      await fragment.close();
      throw error;
    }
  }

  get manifest(): Manifest {
    return this.fragment.manifest;
  }

  /** Exactly these archive bytes; at most `READ_BYTES_MAX`. */
  async read(offset: number, length: number): Promise<Buffer> {
    const { fragmentId } = this.manifest;
    if (length > READ_BYTES_MAX) throw new RangeError(`${length} bytes are too many for one read`);
    if (offset < 0 || length < 0 || offset + length > this.recipe.archiveBytes) {
      throw new FragmentUnreadable(fragmentId, `has no bytes ${offset} to ${offset + length}`);
    }
    const bytes = Buffer.allocUnsafe(length);
    for (let filled = 0; filled < length;) {
      const chunk = await this.chunkAt(offset + filled);
      const from = offset + filled - chunk.archiveOffset;
      filled += (await this.bytesOf(chunk)).copy(bytes, filled, from);
    }
    return bytes;
  }

  async close(): Promise<void> {
    await this.containers.close();
    await this.fragment.close();
  }

  private async chunkAt(offset: number): Promise<Located> {
    const first = this.chunks[0];
    const last = this.chunks.at(-1);
    const isIn =
      first && last && offset >= first.archiveOffset && offset < last.archiveOffset + last.length;
    if (!isIn) this.chunks = await this.locate(offset);
    let [low, high] = [0, this.chunks.length - 1];
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.chunks[middle]!.archiveOffset <= offset) low = middle;
      else high = middle - 1;
    }
    return this.chunks[low]!;
  }

  private async locate(offset: number): Promise<Located[]> {
    for await (const chunks of this.recipe.chunks(offset)) {
      const located: Located[] = [];
      for (let at = 0; at < chunks.length; at += IDS_PER_BATCH_MAX) {
        const some = chunks.slice(at, at + IDS_PER_BATCH_MAX);
        const places = await this.find(some);
        some.forEach((chunk, nth) => located.push({ ...chunk, place: places[nth] }));
      }
      return located;
    }
    throw new FragmentDamaged(this.manifest.fragmentId, `has no chunk for byte ${offset}`);
  }

  private async bytesOf(chunk: Located): Promise<Buffer> {
    const { fragmentId } = this.manifest;
    for (let tries = 0; tries < TRIES_MAX; tries += 1) {
      if (!chunk.place) break;
      try {
        const bytes = await this.containers.read(chunk.place, chunk);
        if (bytes) return bytes;
      } catch (error) {
        if (!(error instanceof ContainerDamaged)) throw error;
        throw new FragmentDamaged(fragmentId, `needs a chunk that is lost. ${error.message}`);
      }
      // Its container was collected since it was looked up.
      [chunk.place] = await this.find([chunk]);
    }
    const id = chunk.id.toString('hex');
    throw new FragmentUnreadable(fragmentId, `needs chunk ${id}, which is not in the volume`);
  }

  private find(chunks: readonly PlacedChunk[]): Promise<(Place | undefined)[]> {
    const ids = chunks.map(({ id }) => id);
    return this.volume.places.find(this.recipe.domain, ids);
  }
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
