import { ContainerDamaged, FragmentDamaged, FragmentUnreadable } from '../../errors.js';
import { IDS_PER_BATCH_MAX } from '../chunk-id.js';
import type { ChunkVolume } from '../chunk-volume.js';
import { OpenContainers } from '../containers/open-containers.js';
import type { Place } from '../index/chunk-map.js';
import type { PlacedChunk, RecipeReader } from '../recipes/recipe-reader.js';

const TRIES_MAX = 10;

interface Located extends PlacedChunk {
  place: Place | undefined;
}

/**
 * The bytes that a recipe's chunks make. A collection that moves its chunks meanwhile makes no
 * difference. Every frame is checked by its digest and every chunk by its id. Calls come one at a time.
 */
export class RecipeBytes {
  private chunks: Located[] = [];
  /** The chunk that was read last: a large one is asked for several times. */
  private last: { readonly offset: number; readonly bytes: Buffer } | undefined;
  private readonly containers: OpenContainers;

  constructor(
    private readonly volume: ChunkVolume,
    private readonly fragmentId: string,
    private readonly recipe: RecipeReader,
  ) {
    this.containers = new OpenContainers(volume.files);
  }

  /** Exactly these bytes. Throws `FragmentUnreadable` or `FragmentDamaged`. */
  async read(offset: number, length: number): Promise<Buffer> {
    const bytes = Buffer.allocUnsafe(length);
    for (let filled = 0; filled < length;) {
      const chunk = await this.chunkAt(offset + filled);
      const from = offset + filled - chunk.offset;
      filled += (await this.bytesOf(chunk)).copy(bytes, filled, from);
    }
    return bytes;
  }

  close(): Promise<void> {
    return this.containers.close();
  }

  private async chunkAt(offset: number): Promise<Located> {
    const first = this.chunks[0];
    const last = this.chunks.at(-1);
    const isIn = first && last && offset >= first.offset && offset < last.offset + last.length;
    if (!isIn) this.chunks = await this.locate(offset);
    let [low, high] = [0, this.chunks.length - 1];
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.chunks[middle]!.offset <= offset) low = middle;
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
    throw new FragmentDamaged(this.fragmentId, `has no chunk for byte ${offset}`);
  }

  private async bytesOf(chunk: Located): Promise<Buffer> {
    const { fragmentId, last } = this;
    if (last?.offset === chunk.offset) return last.bytes;
    for (let tries = 0; tries < TRIES_MAX; tries += 1) {
      if (!chunk.place) break;
      try {
        const bytes = await this.containers.read(chunk.place, chunk);
        if (bytes) {
          this.last = { offset: chunk.offset, bytes };
          return bytes;
        }
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
    return this.volume.places.find(this.recipe.head.domain, ids);
  }
}
