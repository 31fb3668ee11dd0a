import { beginContainer } from './begin-container.js';
import { checkDomain, checkIds, idText } from './chunk-id.js';
import { ChunkFragmentWriter } from './chunk-fragment-writer.js';
import type { ChunkVolume } from './chunk-volume.js';
import {
  checkFrame,
  type ChunkFrame,
  type ContainerWriter,
} from './containers/container-writer.js';
import type { ChunkMap } from './index/chunk-map.js';
import type { FragmentName } from '../fragment-name.js';

/**
 * One client's backup into a volume of chunks. What it was told is there stays there until `end`,
 * whatever is deleted or collected meanwhile; if this process dies the session is over, and the client
 * has to ask again. Calls come one at a time.
 */
export class ChunkSession {
  private writer: ContainerWriter | undefined;
  /** Ids of what is in the open container. */
  private readonly pending = new Set<string>();
  private readonly kept: ChunkMap;

  /** Throws `InvalidInput` for what is no domain. */
  constructor(
    private readonly volume: ChunkVolume,
    readonly domain: string,
  ) {
    checkDomain(domain);
    this.kept = volume.places.hold();
  }

  /** Which of these chunks (at most `IDS_PER_BATCH_MAX`) need not be sent. */
  async ask(ids: readonly Buffer[]): Promise<boolean[]> {
    checkIds(ids);
    const places = await this.volume.places.find(this.domain, ids, this.kept);
    return ids.map((id, at) => places[at] !== undefined || this.pending.has(idText(id)));
  }

  /**
   * Takes in a frame of chunks; its buffers may be reused when it has resolved. That the chunks are
   * what their ids say is checked whenever they are read. Throws `InvalidInput`, `VolumeFull` or
   * `VolumeWriteFailed`.
   */
  async add(frame: ChunkFrame): Promise<void> {
    checkFrame(frame);
    if (this.writer && !this.writer.hasRoomFor(frame)) await this.flush();
    this.writer ??= await beginContainer(this.volume, this.domain);
    const chunks = frame.chunks.map(({ id, length }) => ({ id: Buffer.from(id), length }));
    await this.writer.append({ stored: frame.stored, chunks });
    for (const { id } of chunks) this.pending.add(idText(id));
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
    await places.add({ id, domain, ids }, this.kept);
    this.writer = undefined;
    this.pending.clear();
    writing.delete(id);
    await between('flush: the index knows it');
  }

  /** Begins a fragment: a recipe of chunks that are here or were added. Its id must be new. */
  begin(name: FragmentName): Promise<ChunkFragmentWriter> {
    return ChunkFragmentWriter.create(name, this.volume, this);
  }

  /** Lets go of everything. What was added and is in no sealed recipe may be collected. Never throws. */
  async end(): Promise<void> {
    await this.writer?.abandon();
    if (this.writer) this.volume.writing.delete(this.writer.id);
    this.writer = undefined;
    this.volume.places.letGo(this.kept);
  }
}
