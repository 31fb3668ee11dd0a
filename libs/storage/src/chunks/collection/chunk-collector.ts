import { statIfThere } from '../../directory/sync-folder.js';
import { ContainerDamaged, VolumeFull } from '../../errors.js';
import type { ChunkVolume } from '../chunk-volume.js';
import { CONTAINER_BYTES_MAX, CONTAINER_CHUNKS_MAX } from '../containers/container-format.js';
import { ContainerReader } from '../containers/container-reader.js';
import { Gathering } from './gathering.js';

export interface CollectOptions {
  /** Containers are written anew when this share of their bytes is dead; default 0.25. */
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
  /** Set where there was no room for what lives in some containers: these stay as they are. */
  readonly full?: VolumeFull;
}

/** What is known of a container to be collected; it is opened again when it comes to that. */
interface Candidate {
  readonly id: string;
  readonly isWasteful: boolean;
  readonly chunks: number;
  readonly liveBytes: number;
  readonly liveChunks: number;
}

/** Containers that are collected at once. */
const GROUP_MAX = 64;
/**
 * Chunks, dead ones too, whose tables are in memory at once; and each is looked up while the index changes over, 12 µs for
 * which whoever seals waits.
 */
const TABLES_MAX = 4 * CONTAINER_CHUNKS_MAX;

/**
 * Removes chunks that no recipe names and no session was told of, container by container: what lives
 * in one is written into another and synced; then the index changes over, at once and durably; then
 * the old file goes. Containers in which nothing lives go first: they need no room. Backups, restores
 * and other deletions run on meanwhile.
 */
export class ChunkCollector {
  private gone = 0;
  private made = 0;
  private freedBytes = 0;
  private full: VolumeFull | undefined;
  private readonly damaged = new Set<string>();
  private readonly groups = new Map<string, Candidate[]>();

  constructor(
    private readonly volume: ChunkVolume,
    private readonly options: CollectOptions,
  ) {}

  async run(): Promise<Collected> {
    await this.dropUnclosed();
    await this.tellUnread();
    for (const container of this.volume.places.list()) {
      if (!this.isCut) await this.dropIfDead(container);
    }
    for (const container of this.volume.places.list()) {
      if (!this.isCut) await this.look(container);
    }
    for (const domain of [...this.groups.keys()]) {
      if (!this.isCut) await this.collect(domain);
    }
    const { gone, made, freedBytes, full } = this;
    return { gone, made, freedBytes, damaged: [...this.damaged], ...(full && { full }) };
  }

  private get isCut(): boolean {
    return this.options.signal?.aborted ?? false;
  }

  /** What a crash left; nothing was ever read from it. */
  private async dropUnclosed(): Promise<void> {
    const { files, writing } = this.volume;
    for await (const id of files.unclosed()) if (!writing.has(id)) await files.dropUnclosed(id);
  }

  /** No recipe needs what is in them, or it would not be certain what may be collected. */
  private async tellUnread(): Promise<void> {
    const { files, unread } = this.volume;
    for (const id of unread) if (await statIfThere(files.path(id))) this.damaged.add(id);
  }

  private async dropIfDead(container: string): Promise<void> {
    const found = await this.find(container);
    if (!found || found.live.some(Boolean)) return;
    const domain = await this.read(container, async (reader) => reader.domain);
    if (domain !== undefined) await this.gather(domain, [container]);
  }

  private async look(container: string): Promise<void> {
    const { deadShareMin = 0.25, smallBytes = 16 * 1024 * 1024 } = this.options;
    const found = await this.find(container);
    if (!found) return;
    const { live, bytes } = found;
    const dead = live.filter((one) => !one).length;
    if (dead === 0 && bytes >= smallBytes) return;
    const read = await this.read(container, async (reader) => {
      return { domain: reader.domain, liveBytes: liveBytesOf(reader, live) };
    });
    if (!read) return;
    const { domain, liveBytes } = read;
    // What was healed must not lie in two places for long: the index may have to be made anew.
    const isConcerned = this.volume.places.losses.concerns(container);
    const isWasteful = dead > 0 && (bytes - liveBytes >= bytes * deadShareMin || isConcerned);
    if (!isWasteful && bytes >= smallBytes) return;
    const group = this.groups.get(domain) ?? [];
    const [chunks, liveChunks] = [live.length, live.length - dead];
    group.push({ id: container, isWasteful, chunks, liveBytes, liveChunks });
    this.groups.set(domain, group);
    if (isFull(group)) await this.collect(domain);
  }

  /** Undefined for one that is left alone. */
  private async find(container: string): Promise<{ live: boolean[]; bytes: number } | undefined> {
    const { places, files } = this.volume;
    const { sparedSince } = this.options;
    const live = await places.live(container);
    if (!live) return undefined;
    const file = await statIfThere(files.path(container));
    if (!file) this.damaged.add(container);
    if (!file || (sparedSince && file.mtime >= sparedSince)) return undefined;
    return { live, bytes: Number(file.size) };
  }

  /** Undefined for a container that has gone, or cannot be read. */
  private async read<T>(
    container: string,
    use: (reader: ContainerReader) => Promise<T>,
  ): Promise<T | undefined> {
    let reader: ContainerReader | undefined;
    try {
      reader = await ContainerReader.open(this.volume.files, container);
      return reader && (await use(reader));
    } catch (error) {
      if (!(error instanceof ContainerDamaged)) throw error;
      this.damaged.add(container);
      return undefined;
    } finally {
      await reader?.close();
    }
  }

  private async collect(domain: string): Promise<void> {
    const group = this.groups.get(domain) ?? [];
    this.groups.delete(domain);
    // One that is merely small gains nothing by itself.
    if (group.length === 1 && !group[0]!.isWasteful) return;
    await this.gather(
      domain,
      group.map(({ id }) => id),
    );
  }

  private async gather(domain: string, containers: readonly string[]): Promise<void> {
    const { places, files, between } = this.volume;
    const gathering = new Gathering(this.volume, domain);
    let mayBeInTheIndex = false;
    try {
      let takenBytes = 0;
      for (const container of containers) takenBytes += await this.take(container, gathering);
      await gathering.close();
      const { taken, made } = gathering;
      if (taken.length === 0) return await gathering.drop();
      await between('collect: what lives is durable elsewhere, the index does not know it');
      mayBeInTheIndex = true;
      const isDone = await places.changeOver(taken, made, (old) => gathering.newPlace(old));
      if (!isDone) return await gathering.drop();
      await between('collect: the index has changed over, the old files are there');
      for (const { id } of taken) await files.drop(id);
      this.freedBytes += takenBytes - gathering.madeBytes;
      this.gone += taken.length;
      this.made += made.length;
    } catch (error) {
      if (mayBeInTheIndex) throw error;
      await gathering.drop();
      if (!(error instanceof VolumeFull)) throw error;
      this.full ??= error;
    } finally {
      gathering.forget();
    }
  }

  /** Bytes of the container's file; 0 for one that stays. */
  private async take(container: string, gathering: Gathering): Promise<number> {
    const live = await this.volume.places.live(container);
    if (!live) return 0;
    const bytes = await this.read(container, async (reader) => {
      await gathering.take(reader, live);
      return reader.bytes;
    });
    return bytes ?? 0;
  }
}

/** What lives of a group goes into about one container. */
function isFull(group: readonly Candidate[]): boolean {
  const sum = (of: (one: Candidate) => number) => group.reduce((all, one) => all + of(one), 0);
  return (
    sum(({ liveBytes }) => liveBytes) >= CONTAINER_BYTES_MAX / 2 ||
    sum(({ liveChunks }) => liveChunks) >= CONTAINER_CHUNKS_MAX / 2 ||
    sum(({ chunks }) => chunks) >= TABLES_MAX ||
    group.length >= GROUP_MAX
  );
}

/** About as many stored bytes as what lives of a container takes. */
function liveBytesOf({ table }: ContainerReader, live: readonly boolean[]): number {
  let bytes = 0;
  for (let frame = 0; frame < table.frames; frame += 1) {
    const [first, end] = table.ordinalsOf(frame);
    let alive = 0;
    for (let at = first; at < end; at += 1) if (live[at]) alive += table.lengthOf(at);
    bytes += (table.storedBytesOf(frame) * alive) / Math.max(1, table.bytesOf(frame));
  }
  return bytes;
}
