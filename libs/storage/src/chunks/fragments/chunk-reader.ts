import type { ChunkEntry } from '../../chunk-intake.js';
import { ContainerDamaged, FragmentUnreadable } from '../../errors.js';
import { IDS_PER_BATCH_MAX } from '../chunk-id.js';
import type { ChunkVolume } from '../chunk-volume.js';
import { lookOver } from '../collection/verify-containers.js';
import { OpenContainers, type FoundFrame } from '../containers/open-containers.js';
import type { Place } from '../index/chunk-map.js';

const TRIES_MAX = 10;

/** A chunk and where it was when it was looked up. */
export interface Located<Chunk extends ChunkEntry = ChunkEntry> {
  readonly chunk: Chunk;
  place: Place | undefined;
}

/**
 * Reads the chunks of one fragment wherever they are: a collection that moves them meanwhile makes no
 * difference. Every frame is checked by its digest and every chunk by its id. Throws
 * `FragmentUnreadable`. Calls come one at a time.
 */
export class ChunkReader {
  private readonly containers: OpenContainers;

  constructor(
    private readonly volume: ChunkVolume,
    private readonly fragmentId: string,
    readonly domain: string,
  ) {
    this.containers = new OpenContainers(volume.files);
  }

  async locate<Chunk extends ChunkEntry>(chunks: readonly Chunk[]): Promise<Located<Chunk>[]> {
    const located: Located<Chunk>[] = [];
    for (let at = 0; at < chunks.length; at += IDS_PER_BATCH_MAX) {
      const some = chunks.slice(at, at + IDS_PER_BATCH_MAX);
      const places = await this.find(some);
      some.forEach((chunk, nth) => located.push({ chunk, place: places[nth] }));
    }
    return located;
  }

  read(located: Located): Promise<Buffer> {
    return this.at(located, (place) => this.containers.read(place, located.chunk));
  }

  /** A chunk whose frame was read just before; undefined if it has to be waited for. */
  peek({ chunk, place }: Located): Buffer | undefined {
    return place && this.containers.peek(place, chunk);
  }

  /** The stored frame that a chunk is in; what else is in it may be nobody's. */
  frameOf(located: Located): Promise<FoundFrame> {
    return this.at(located, (place) => this.containers.frameOf(place, located.chunk));
  }

  close(): Promise<void> {
    return this.containers.close();
  }

  /** Says of damage whose it is, and has what else is lost there looked for. */
  async noticing<T>(work: () => Promise<T>, { container }: Pick<Place, 'container'>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof ContainerDamaged)) throw error;
      void lookOver(this.volume, container);
      throw new FragmentUnreadable(this.fragmentId, `needs a chunk that is lost. ${error.message}`);
    }
  }

  private async at<T>(
    located: Located,
    work: (place: Place) => Promise<T | undefined>,
  ): Promise<T> {
    for (let tries = 0; tries < TRIES_MAX; tries += 1) {
      const { place } = located;
      if (!place) break;
      const found = await this.noticing(() => work(place), place);
      if (found !== undefined) return found;
      // Its container was collected since it was looked up.
      [located.place] = await this.find([located.chunk]);
    }
    if (located.place) void lookOver(this.volume, located.place.container);
    const id = located.chunk.id.toString('hex');
    throw new FragmentUnreadable(this.fragmentId, `needs chunk ${id}, which is not in the volume`);
  }

  private find(chunks: readonly ChunkEntry[]): Promise<(Place | undefined)[]> {
    const ids = chunks.map(({ id }) => id);
    return this.volume.places.find(this.domain, ids);
  }
}
