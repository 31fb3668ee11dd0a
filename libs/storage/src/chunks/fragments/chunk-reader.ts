import type { ChunkEntry } from '../../chunk-intake.js';
import { ContainerDamaged, FragmentUnreadable } from '../../errors.js';
import { IDS_PER_BATCH_MAX } from '../chunk-id.js';
import type { ChunkVolume } from '../chunk-volume.js';
import type { ContainerReader } from '../containers/container-reader.js';
import { OpenContainers, type StoredFrame } from '../containers/open-containers.js';
import type { Place } from '../index/chunk-map.js';

const TRIES_MAX = 10;
/** Chunks that are looked up at once; as many more each time, while no guess is right. */
const LOOKUPS_MIN = 16;

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
  /** Of the chunk that was located last. */
  private last: Place | undefined;

  constructor(
    private readonly volume: ChunkVolume,
    private readonly fragmentId: string,
    readonly domain: string,
  ) {
    this.containers = new OpenContainers(volume.files, fragmentId);
  }

  /** Most chunks lie behind the one before them, as they did when they were written: only the others are looked up. */
  async locate<Chunk extends ChunkEntry>(chunks: readonly Chunk[]): Promise<Located<Chunk>[]> {
    const located: Located<Chunk>[] = [];
    let lookups = LOOKUPS_MIN;
    while (located.length < chunks.length) {
      const chunk = chunks[located.length]!;
      const guess = this.last && this.containers.behind(this.last, chunk);
      if (guess) {
        located.push({ chunk, place: guess });
        this.last = guess;
        lookups = LOOKUPS_MIN;
        continue;
      }
      const some = chunks.slice(located.length, located.length + lookups);
      const places = await this.find(some);
      some.forEach((one, nth) => located.push({ chunk: one, place: places[nth] }));
      this.last = places.at(-1);
      if (this.last) await this.containers.open(this.last.container);
      lookups = Math.min(2 * lookups, IDS_PER_BATCH_MAX);
    }
    return located;
  }

  /** The bytes are the caller's until the next read. */
  read(located: Located): Promise<Buffer> {
    return this.at(located, (place) => this.containers.read(place, located.chunk));
  }

  /** A chunk whose frame was read just before; undefined if it has to be waited for. */
  peek({ chunk, place }: Located): Buffer | undefined {
    return place && this.containers.peek(place, chunk);
  }

  /** What else is in the frame that a chunk is in, which may be nobody's. */
  neighbours(located: Located): Promise<readonly ChunkEntry[]> {
    return this.at(located, (place) => this.containers.neighbours(place, located.chunk));
  }

  /** The stored frame that a chunk is in, checked by its digest. */
  stored(located: Located): Promise<StoredFrame> {
    return this.at(located, (place) => this.containers.readStored(place, located.chunk));
  }

  /** The container that a place is in; undefined if it is gone. Throws `ContainerDamaged`. */
  container({ container }: Place): Promise<ContainerReader | undefined> {
    return this.containers.get(container);
  }

  close(): Promise<void> {
    return this.containers.close();
  }

  private async at<T>(
    located: Located,
    work: (place: Place) => Promise<T | undefined>,
  ): Promise<T> {
    const { chunk } = located;
    for (let tries = 0; tries < TRIES_MAX; tries += 1) {
      const { place } = located;
      if (!place) break;
      let damage: ContainerDamaged | undefined;
      try {
        const found = await work(place);
        if (found !== undefined) return found;
      } catch (error) {
        if (!(error instanceof ContainerDamaged)) throw error;
        damage = error;
      }
      // It was collected, or healed, since it was looked up or guessed: the index knows.
      [located.place] = await this.find([chunk]);
      if (!damage || !isSame(located.place, place)) continue;
      this.volume.lookOver.want(place);
      throw new FragmentUnreadable(
        this.fragmentId,
        `needs a chunk that is lost. ${damage.message}`,
      );
    }
    if (located.place) this.volume.lookOver.want(located.place);
    const id = chunk.id.toString('hex');
    throw new FragmentUnreadable(this.fragmentId, `needs chunk ${id}, which is not in the volume`);
  }

  private find(chunks: readonly ChunkEntry[]): Promise<(Place | undefined)[]> {
    const ids = chunks.map(({ id }) => id);
    return this.volume.places.find(this.domain, ids);
  }
}

function isSame(one: Place | undefined, other: Place): boolean {
  return one?.container === other.container && one.ordinal === other.ordinal;
}
