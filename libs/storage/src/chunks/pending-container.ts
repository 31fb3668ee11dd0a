import type { ChunkFrame } from '../chunk-intake.js';
import { beginContainer } from './begin-container.js';
import { idText } from './chunk-id.js';
import type { ChunkVolume } from './chunk-volume.js';
import type { ContainerWriter } from './containers/container-writer.js';
import type { ContainerContent } from './index/chunk-index.js';
import type { Place } from './index/chunk-map.js';

/** A container that a session fills, and what is in it: nobody else knows of that yet. Calls come one at a time. */
export class PendingContainer {
  /** By `idText`: which of its chunks. */
  private readonly ordinals = new Map<string, number>();
  private chunks = 0;

  private constructor(
    private readonly volume: ChunkVolume,
    private readonly writer: ContainerWriter,
  ) {}

  /** Throws `VolumeFull` or `VolumeWriteFailed`. */
  static async begin(volume: ChunkVolume, domain: string): Promise<PendingContainer> {
    return new PendingContainer(volume, await beginContainer(volume, domain));
  }

  get content(): ContainerContent {
    const { id, domain, ids } = this.writer;
    return { id, domain, ids };
  }

  hasRoomFor(frame: ChunkFrame): boolean {
    return this.writer.hasRoomFor(frame);
  }

  /** The frame's buffers may be reused when it has resolved. */
  async add(frame: ChunkFrame): Promise<void> {
    const chunks = frame.chunks.map(({ id, length }) => ({ id: Buffer.from(id), length }));
    await this.writer.append({ ...frame, chunks });
    for (const { id } of chunks) {
      this.ordinals.set(idText(id), this.chunks);
      this.chunks += 1;
    }
  }

  /** Where a chunk (`idText`) is in it. */
  placeOf(chunk: string): Place | undefined {
    const ordinal = this.ordinals.get(chunk);
    return ordinal === undefined ? undefined : { container: this.writer.id, ordinal };
  }

  /** All of them, as `placeOf` takes them, and which of its chunks each is. */
  get entries(): Iterable<[string, number]> {
    return this.ordinals;
  }

  /** The index has its chunks now, some of them elsewhere. */
  forgetPlaces(): void {
    this.ordinals.clear();
  }

  /** Makes it durable under its name. */
  close(): Promise<void> {
    return this.writer.close();
  }

  /** From here on a collection may take it. */
  release(): void {
    this.volume.writing.delete(this.writer.id);
  }

  /** Lets go of it. Never throws. */
  async abandon(): Promise<void> {
    await this.writer.abandon();
    this.release();
  }
}
