import { statIfThere } from '../../directory/sync-folder.js';
import { ContainerDamaged, VolumeFull } from '../../errors.js';
import type { ChunkVolume } from '../chunk-volume.js';
import { ContainerReader } from '../containers/container-reader.js';
import { Gathering } from './gathering.js';
import type { Group, UnfinishedCollection } from './unfinished-collection.js';

export interface CollectOptions {
  /** Containers are written anew when this share of their bytes is dead; default 0.25. */
  readonly deadShareMin?: number;
  /** Containers shorter than this are put together; default 16 MiB. */
  readonly smallBytes?: number;
  /** Containers that were closed since then are left alone: who resumes may want what is in them. */
  readonly sparedSince?: Date;
  /** Ends it between two containers; what is done so far stays done, and the next one goes on there. */
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
  /** Set where it was ended before it had come to everything. */
  readonly isUnfinished?: true;
}

/**
 * Removes chunks that no recipe names and no session was told of, container by container: what lives
 * in one is written into another and synced; then the index changes over, at once and durably; then
 * the old file goes. Containers in which nothing lives go as soon as they are met: they need no room. Those for which
 * there is none are tried again behind all others. Backups, restores and other deletions run on meanwhile.
 */
export class ChunkCollector {
  private gone = 0;
  private made = 0;
  private freedBytes = 0;
  private full: VolumeFull | undefined;
  private readonly damaged = new Set<string>();

  /** @param unfinished Of the volume: where the last collection was cut, if it was. */
  constructor(
    private readonly volume: ChunkVolume,
    private readonly unfinished: UnfinishedCollection,
    private readonly options: CollectOptions,
  ) {}

  async run(): Promise<Collected> {
    await this.tellUnread();
    if (this.unfinished.isUnderWay) await this.goOn();
    // What the ones before have looked at may have died since.
    if (!this.unfinished.isUnderWay) {
      this.unfinished.begin(this.volume.places.list());
      await this.goOn();
    }
    const { gone, made, freedBytes, full } = this;
    const isUnfinished = this.unfinished.isUnderWay;
    return {
      ...{ gone, made, freedBytes, damaged: [...this.damaged] },
      ...(full && { full }),
      ...(isUnfinished && { isUnfinished }),
    };
  }

  private get isCut(): boolean {
    return this.options.signal?.aborted ?? false;
  }

  private async goOn(): Promise<void> {
    const { unfinished } = this;
    await this.eachUntilCut(
      () => unfinished.nextContainer(),
      (container) => this.look(container),
    );
    await this.eachUntilCut(
      () => unfinished.nextGroup(),
      (group) => this.collect(group),
    );
    await this.tryAgain();
  }

  private async eachUntilCut<T>(
    next: () => T | undefined,
    work: (one: T) => Promise<void>,
  ): Promise<void> {
    while (!this.isCut) {
      const one = next();
      if (one === undefined) return;
      await work(one);
    }
  }

  /** What was put off: all that needs no room has gone by now. */
  private async tryAgain(): Promise<void> {
    const { unfinished } = this;
    let full: VolumeFull | undefined;
    await this.eachUntilCut(
      () => unfinished.nextPutOff(),
      async (group) => {
        const failure = await this.gather(group);
        full ??= failure;
      },
    );
    if (!this.unfinished.isUnderWay) this.full = full;
  }

  /** No recipe needs what is in them, or it would not be certain what may be collected. */
  private async tellUnread(): Promise<void> {
    const { files, unread } = this.volume;
    for (const id of unread) if (await statIfThere(files.path(id))) this.damaged.add(id);
  }

  private async look(container: string): Promise<void> {
    const { deadShareMin = 0.25, smallBytes = 16 * 1024 * 1024 } = this.options;
    const found = await this.find(container);
    if (!found) return;
    const { live, bytes } = found;
    const dead = live.filter((one) => !one).length;
    const isDead = dead === live.length;
    if (dead === 0 && !isDead && bytes >= smallBytes) return;
    const read = await this.read(container, async (reader) => {
      return { domain: reader.domain, liveBytes: liveBytesOf(reader, live) };
    });
    if (!read) return;
    const { domain, liveBytes } = read;
    if (isDead) return this.collect({ domain, containers: [container] });
    // What was healed must not lie in two places for long: the index may have to be made anew.
    const isConcerned = this.volume.places.losses.concerns(container);
    const isWasteful = dead > 0 && (bytes - liveBytes >= bytes * deadShareMin || isConcerned);
    if (!isWasteful && bytes >= smallBytes) return;
    const [chunks, liveChunks] = [live.length, live.length - dead];
    const candidate = { id: container, isWasteful, chunks, liveBytes, liveChunks };
    const group = this.unfinished.add(domain, candidate);
    if (group) await this.collect(group);
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

  private async collect(group: Group): Promise<void> {
    const full = await this.gather(group);
    if (!full) return;
    this.full ??= full;
    this.unfinished.putOff(group);
  }

  /** Gives what says that there is no room for it: then it stays as it is. */
  private async gather({ domain, containers }: Group): Promise<VolumeFull | undefined> {
    const { places, files, between } = this.volume;
    const gathering = new Gathering(this.volume, domain);
    let mayBeInTheIndex = false;
    try {
      let takenBytes = 0;
      for (const container of containers) takenBytes += await this.take(container, gathering);
      await gathering.close();
      const { taken, made } = gathering;
      if (taken.length === 0) return void (await gathering.drop());
      await between('collect: what lives is durable elsewhere, the index does not know it');
      mayBeInTheIndex = true;
      const isDone = await places.changeOver(taken, made, (old) => gathering.newPlace(old));
      if (!isDone) return void (await gathering.drop());
      await between('collect: the index has changed over, the old files are there');
      for (const { id } of taken) await files.drop(id);
      this.freedBytes += takenBytes - gathering.madeBytes;
      this.gone += taken.length;
      this.made += made.length;
      return undefined;
    } catch (error) {
      if (mayBeInTheIndex) throw error;
      await gathering.drop();
      if (!(error instanceof VolumeFull)) throw error;
      return error;
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
