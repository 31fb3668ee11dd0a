import { assert } from '#kernel/assert.js';
import type { ChunkEntry, ChunkFrame, ChunkIntakeSession } from '../chunk-intake.js';
import { ContainerDamaged, VolumeWriteFailed } from '../errors.js';
import type { FragmentName } from '../fragment-name.js';
import { checkDomain, checkIds, idText } from './chunk-id.js';
import type { ChunkVolume } from './chunk-volume.js';
import { ContainerReader } from './containers/container-reader.js';
import { soundChunks } from './collection/verify-containers.js';
import { checkFrame } from './containers/container-writer.js';
import { KnownPlaces } from './known-places.js';
import { RecipeFragmentWriter } from './fragments/recipe-fragment-writer.js';
import type { ChunkMap, Place } from './index/chunk-map.js';
import { PendingContainer } from './pending-container.js';

/** By the network, the disk, or a client that names it wrongly. */
const NOT_HEALED = 'a chunk that was lost came again, and is not what its id says';

/**
 * One client's backup into a volume of chunks. What it was told is there stays there until `end`,
 * whatever is deleted or collected meanwhile; if this process dies the session is over, and the client
 * has to ask again. Calls come one at a time.
 */
export class ChunkSession implements ChunkIntakeSession {
  private open: PendingContainer | undefined;
  /** The one before it: it is made durable while this one is filled. */
  private closing:
    { readonly container: PendingContainer; readonly done: Promise<void> } | undefined;
  private readonly kept: ChunkMap;
  private readonly known: KnownPlaces;
  /** Of containers that were written, one after the other, for `readBack`. */
  private reading: Promise<void> = Promise.resolve();

  /**
   * Throws `InvalidInput` for what is no domain.
   * @param isReadBack It reads again what it writes, for `readBack`.
   */
  constructor(
    private readonly volume: ChunkVolume,
    readonly domain: string,
    private readonly isReadBack = false,
  ) {
    checkDomain(domain);
    this.kept = volume.places.hold();
    this.known = new KnownPlaces(volume.places);
  }

  async ask(ids: readonly Buffer[]): Promise<boolean[]> {
    checkIds(ids);
    const { losses, moves } = this.volume.places;
    const found = await this.volume.places.find(this.domain, ids, this.kept);
    return ids.map((id, at) => {
      const place = found[at];
      const text = idText(id);
      if (place) this.known.add(text, place, moves);
      if (place && !losses.has(place)) return true;
      // What was in the index a moment later is known by now.
      return (
        this.pendingPlace(text) !== undefined || (!place && this.known.get(text) !== undefined)
      );
    });
  }

  /**
   * Takes in a frame of chunks; its buffers may be reused when it has resolved. That the chunks are
   * what their ids say is checked whenever they are read.
   */
  async add(frame: ChunkFrame): Promise<void> {
    checkFrame(frame);
    if (this.open && !this.open.hasRoomFor(frame)) await this.beginClosing(this.open);
    this.open ??= await PendingContainer.begin(this.volume, this.domain);
    await this.open.add(frame);
  }

  /** Makes durable, and known to all, what was added. */
  async flush(): Promise<void> {
    if (this.open) await this.beginClosing(this.open);
    await this.closing?.done;
  }

  /**
   * Makes durable what was added. Resolves when all of it was read again, once. Throws `VolumeWriteFailed`
   * where it is not what was written.
   */
  async readBack(): Promise<void> {
    assert(this.isReadBack, 'a session that reads nothing again is read back');
    await this.flush();
    await this.reading;
  }

  begin(name: FragmentName, frameBytes: number): Promise<RecipeFragmentWriter> {
    return this.beginWith(name, frameBytes);
  }

  /** Begins a fragment whose data are the chunks as they are. */
  beginPlain(name: FragmentName): Promise<RecipeFragmentWriter> {
    return this.beginWith(name);
  }

  async end(): Promise<void> {
    await this.closing?.done.catch(() => undefined);
    await this.reading.catch(() => undefined);
    await this.closing?.container.abandon();
    await this.open?.abandon();
    this.open = undefined;
    this.closing = undefined;
    this.volume.places.letGo(this.kept);
  }

  /** Resolves when the one before is through. A failure stays: it is thrown whenever something depends on it. */
  private async beginClosing(container: PendingContainer): Promise<void> {
    await this.closing?.done;
    this.open = undefined;
    const done = this.close(container);
    done.catch(() => undefined);
    this.closing = { container, done };
  }

  private async close(container: PendingContainer): Promise<void> {
    const { between, places } = this.volume;
    await between('flush: the container is open');
    await container.close();
    await between('flush: the container is closed, the index does not know it');
    const { content } = container;
    const sound = places.losses.isEmpty ? undefined : await soundChunks(this.volume, content.id);
    const { moves } = places;
    let isLost = false;
    const taken = (at: readonly Place[]) => {
      isLost = sound !== undefined && at.some((place) => places.losses.has(place));
      for (const [chunk, ordinal] of container.entries) this.known.add(chunk, at[ordinal]!, moves);
      container.forgetPlaces();
    };
    await places.add(content, this.kept, { sound, taken });
    // Nothing that names such a chunk may be sealed: it is still lost.
    if (isLost) throw new VolumeWriteFailed(this.volume.files.folder, new Error(NOT_HEALED));
    this.closing = undefined;
    if (this.isReadBack) this.beginReading(content.id);
    container.release();
    await between('flush: the index knows it');
  }

  /** While the next one is written. */
  private beginReading(container: string): void {
    this.reading = this.reading.then(() => this.readContainer(container));
    this.reading.catch(() => undefined); // thrown by `readBack`
  }

  private async readContainer(container: string): Promise<void> {
    const { files } = this.volume;
    try {
      const reader = await ContainerReader.open(files, container);
      // Collected meanwhile, which has read it.
      if (!reader) return;
      try {
        await reader.checkStored();
      } finally {
        await reader.close();
      }
    } catch (error) {
      throw error instanceof ContainerDamaged ? new VolumeWriteFailed(files.folder, error) : error;
    }
  }

  private beginWith(name: FragmentName, frameBytes?: number): Promise<RecipeFragmentWriter> {
    const { volume, domain } = this;
    return RecipeFragmentWriter.create(volume, {
      name,
      domain,
      frameBytes,
      flush: () => this.flush(),
      hold: (chunks, map) => this.hold(chunks, map),
    });
  }

  /** Adds chunks to a held map, unless it would have to look one up: then false. */
  private hold(chunks: readonly ChunkEntry[], map: ChunkMap): boolean {
    for (const { id } of chunks) {
      const text = idText(id);
      const place = this.known.get(text) ?? this.pendingPlace(text);
      if (!place) return false;
      map.add(place);
    }
    return true;
  }

  private pendingPlace(chunk: string): Place | undefined {
    return this.open?.placeOf(chunk) ?? this.closing?.container.placeOf(chunk);
  }
}
