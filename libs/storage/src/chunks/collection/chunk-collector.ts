import { statIfThere } from '../../directory/sync-folder.js';
import { ContainerDamaged } from '../../errors.js';
import type { ChunkVolume } from '../chunk-volume.js';
import { CONTAINER_BYTES_MAX, CONTAINER_CHUNKS_MAX } from '../containers/container-format.js';
import { ContainerReader } from '../containers/container-reader.js';
import { Gathering } from './gathering.js';

export interface CollectOptions {
  /** Containers are written anew when this share of their chunks is dead; default 0.25. */
  readonly deadShareMin?: number;
  /** Containers shorter than this are put together; default 16 MiB. */
  readonly smallBytes?: number;
  /** Containers that were closed since then are left alone: who resumes may want what is in them. */
  readonly sparedSince?: Date;
  /** Ends it between two containers; what is done so far stays done. */
  readonly signal?: AbortSignal;
}

export interface Collected {
  /** Containers that went, and that took their live chunks. */
  readonly gone: number;
  readonly made: number;
  /** Bytes that the volume takes less; below 0 where tables have grown. */
  readonly freedBytes: number;
  /** Containers that cannot be read and so stay, all of them. */
  readonly damaged: readonly string[];
}

interface Candidate {
  readonly reader: ContainerReader;
  readonly live: readonly boolean[];
  readonly isWasteful: boolean;
  readonly liveBytes: number;
  readonly liveChunks: number;
}

/** Containers that are open at once for one domain. */
const GROUP_MAX = 64;
/** Chunks, dead ones too, whose tables are in memory at once for one domain. */
const TABLES_MAX = 16 * CONTAINER_CHUNKS_MAX;

/**
 * Removes chunks that no recipe names and no session was told of, container by container: what lives
 * in one is written into another and synced; then the index changes over, at once and durably; then
 * the old file goes. Backups, restores and other deletions run on meanwhile.
 */
export class ChunkCollector {
  private gone = 0;
  private made = 0;
  private freedBytes = 0;
  private readonly damaged: string[] = [];
  private readonly groups = new Map<string, Candidate[]>();

  constructor(
    private readonly volume: ChunkVolume,
    private readonly options: CollectOptions,
  ) {}

  /** Throws `VolumeFull` where there is no room for what lives; nothing is lost by that. */
  async run(): Promise<Collected> {
    try {
      await this.dropUnclosed();
      for (const container of this.volume.places.list()) {
        if (!this.isCut) await this.look(container);
      }
      for (const domain of [...this.groups.keys()]) {
        if (!this.isCut) await this.collect(domain);
      }
    } finally {
      for (const group of this.groups.values()) await closeAll(group);
    }
    const { gone, made, freedBytes, damaged } = this;
    return { gone, made, freedBytes, damaged };
  }

  private get isCut(): boolean {
    return this.options.signal?.aborted ?? false;
  }

  /** What a crash left; nothing was ever read from it. */
  private async dropUnclosed(): Promise<void> {
    const { files, writing } = this.volume;
    for await (const id of files.unclosed()) if (!writing.has(id)) await files.dropUnclosed(id);
  }

  private async look(container: string): Promise<void> {
    const { places, files } = this.volume;
    const { deadShareMin = 0.25, smallBytes = 16 * 1024 * 1024, sparedSince } = this.options;
    const live = await places.live(container);
    if (!live) return;
    const file = await statIfThere(files.path(container));
    if (!file) {
      this.damaged.push(container);
      return;
    }
    if (sparedSince && file.mtime >= sparedSince) return;
    const dead = live.filter((one) => !one).length;
    // What was healed must not lie in two places for long: the index may have to be made anew.
    const isWasteful =
      dead > 0 && (dead >= live.length * deadShareMin || places.losses.concerns(container));
    if (!isWasteful && file.size >= smallBytes) return;
    const reader = await this.open(container);
    if (!reader) return;
    const group = this.groups.get(reader.domain) ?? [];
    const [liveBytes, liveChunks] = [liveBytesOf(reader, live), live.length - dead];
    group.push({ reader, live, isWasteful, liveBytes, liveChunks });
    this.groups.set(reader.domain, group);
    if (isFull(group)) await this.collect(reader.domain);
  }

  private async open(container: string): Promise<ContainerReader | undefined> {
    try {
      return await ContainerReader.open(this.volume.files, container);
    } catch (error) {
      if (!(error instanceof ContainerDamaged)) throw error;
      this.damaged.push(container);
      return undefined;
    }
  }

  private async collect(domain: string): Promise<void> {
    const group = this.groups.get(domain) ?? [];
    this.groups.delete(domain);
    try {
      // One that is merely small gains nothing by itself.
      if (group.length > 1 || group.some(({ isWasteful }) => isWasteful)) await this.gather(group);
    } finally {
      await closeAll(group);
    }
  }

  private async gather(group: readonly Candidate[]): Promise<void> {
    const { places, files, between } = this.volume;
    const gathering = new Gathering(this.volume, group[0]!.reader.domain);
    try {
      for (const { reader, live } of group) {
        if (!(await gathering.take(reader, live))) this.damaged.push(reader.id);
      }
      await gathering.close();
      const { taken, made } = gathering;
      await between('collect: what lives is durable elsewhere, the index does not know it');
      const isDone = await places.changeOver(taken, made, (old) => gathering.newPlace(old));
      if (!isDone) return await gathering.drop();
      await between('collect: the index has changed over, the old files are there');
      for (const { id } of taken) await files.drop(id);
      const takenBytes = group
        .filter(({ reader }) => taken.some(({ id }) => id === reader.id))
        .reduce((sum, { reader }) => sum + reader.bytes, 0);
      this.freedBytes += takenBytes - gathering.madeBytes;
      this.gone += taken.length;
      this.made += made.length;
    } catch (error) {
      await gathering.abandon();
      throw error;
    } finally {
      gathering.forget();
    }
  }
}

/** What lives of a group goes into about one container. */
function isFull(group: readonly Candidate[]): boolean {
  const sum = (of: (one: Candidate) => number) => group.reduce((all, one) => all + of(one), 0);
  return (
    sum(({ liveBytes }) => liveBytes) >= CONTAINER_BYTES_MAX / 2 ||
    sum(({ liveChunks }) => liveChunks) >= CONTAINER_CHUNKS_MAX / 2 ||
    sum(({ live }) => live.length) >= TABLES_MAX ||
    group.length >= GROUP_MAX
  );
}

/** About as many stored bytes as what lives of a container takes. */
function liveBytesOf(reader: ContainerReader, live: readonly boolean[]): number {
  return reader.frames.reduce((sum, { storedBytes, chunks }, frame) => {
    const [first, end] = reader.ordinalsOf(frame);
    const alive = live.slice(first, end).filter(Boolean).length;
    return sum + (storedBytes * alive) / chunks.length;
  }, 0);
}

async function closeAll(group: readonly Candidate[]): Promise<void> {
  await Promise.all(group.map(({ reader }) => reader.close()));
}
