import { assert } from '#kernel/assert.js';
import type { ChunkEntry, ChunkFrame, ChunkIntakeSession } from '../chunk-intake.js';
import { ContainerDamaged, VolumeWriteFailed } from '../errors.js';
import type { FragmentName } from '../fragment-name.js';
import { beginContainer } from './begin-container.js';
import { checkDomain, checkIds, idText } from './chunk-id.js';
import type { ChunkVolume } from './chunk-volume.js';
import { ContainerReader } from './containers/container-reader.js';
import { isSound } from './collection/verify-containers.js';
import { checkFrame, type ContainerWriter } from './containers/container-writer.js';
import { KnownPlaces } from './known-places.js';
import { RecipeFragmentWriter } from './fragments/recipe-fragment-writer.js';
import type { ChunkMap } from './index/chunk-map.js';

/**
 * One client's backup into a volume of chunks. What it was told is there stays there until `end`,
 * whatever is deleted or collected meanwhile; if this process dies the session is over, and the client
 * has to ask again. Calls come one at a time.
 */
export class ChunkSession implements ChunkIntakeSession {
  private writer: ContainerWriter | undefined;
  /** What is in the open container: ids (`idText`), and which of its chunks each is. */
  private readonly pending = new Map<string, number>();
  private pendingChunks = 0;
  private readonly kept: ChunkMap;
  private readonly known: KnownPlaces;
  /** Containers that `readBack` has not read yet. */
  private readonly written: string[] | undefined;

  /**
   * Throws `InvalidInput` for what is no domain.
   * @param isReadBack It notes what it writes, for `readBack`.
   */
  constructor(
    private readonly volume: ChunkVolume,
    readonly domain: string,
    isReadBack = false,
  ) {
    checkDomain(domain);
    if (isReadBack) this.written = [];
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
      return (place !== undefined && !losses.has(place)) || this.pending.has(text);
    });
  }

  /**
   * Takes in a frame of chunks; its buffers may be reused when it has resolved. That the chunks are
   * what their ids say is checked whenever they are read.
   */
  async add(frame: ChunkFrame): Promise<void> {
    checkFrame(frame);
    if (this.writer && !this.writer.hasRoomFor(frame)) await this.flush();
    this.writer ??= await beginContainer(this.volume, this.domain);
    const chunks = frame.chunks.map(({ id, length }) => ({ id: Buffer.from(id), length }));
    await this.writer.append({ ...frame, chunks });
    for (const { id } of chunks) {
      this.pending.set(idText(id), this.pendingChunks);
      this.pendingChunks += 1;
    }
  }

  /** Makes durable, and known to all, what was added. */
  async flush(): Promise<void> {
    const { writer } = this;
    if (!writer) return;
    const { between, places, writing } = this.volume;
    await between('flush: the container is open');
    await writer.close();
    await between('flush: the container is closed, the index does not know it');
    const { id, domain, ids } = writer;
    const heals = !places.losses.isEmpty && (await isSound(this.volume, id));
    const { moves } = places;
    const now = await places.add({ id, domain, ids }, this.kept, heals);
    for (const [chunk, ordinal] of this.pending) this.known.add(chunk, now[ordinal]!, moves);
    this.writer = undefined;
    this.pending.clear();
    this.pendingChunks = 0;
    this.written?.push(id);
    writing.delete(id);
    await between('flush: the index knows it');
  }

  /**
   * Makes durable what was added and reads all of it again, once. Throws `VolumeWriteFailed` where it is
   * not what was written.
   */
  async readBack(): Promise<void> {
    assert(this.written, 'a session that notes nothing is read back');
    await this.flush();
    for (const container of this.written.splice(0)) await this.readContainer(container);
  }

  begin(name: FragmentName, frameBytes: number): Promise<RecipeFragmentWriter> {
    return this.beginWith(name, frameBytes);
  }

  /** Begins a fragment whose data are the chunks as they are. */
  beginPlain(name: FragmentName): Promise<RecipeFragmentWriter> {
    return this.beginWith(name);
  }

  async end(): Promise<void> {
    await this.writer?.abandon();
    if (this.writer) this.volume.writing.delete(this.writer.id);
    this.writer = undefined;
    this.volume.places.letGo(this.kept);
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
      const ordinal = this.pending.get(text);
      const isPending = this.writer !== undefined && ordinal !== undefined;
      const place =
        this.known.get(text) ?? (isPending ? { container: this.writer!.id, ordinal } : undefined);
      if (!place) return false;
      map.add(place);
    }
    return true;
  }
}
