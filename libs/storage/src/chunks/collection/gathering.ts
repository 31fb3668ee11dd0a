import { compress } from '#archive/frames/zstd.js';
import type { ChunkFrame } from '../../chunk-intake.js';
import { beginContainer } from '../begin-container.js';
import type { ChunkVolume } from '../chunk-volume.js';
import type { ContainerReader } from '../containers/container-reader.js';
import type { ContainerWriter } from '../containers/container-writer.js';
import type { ContainerContent } from '../index/chunk-index.js';
import type { Place } from '../index/chunk-map.js';

const LEVEL = 3;

/** Writes what lives in some containers of a domain into new ones, which nobody knows until then. */
export class Gathering {
  readonly taken: ContainerContent[] = [];
  readonly made: ContainerContent[] = [];
  /** Of the files of what was made. */
  madeBytes = 0;
  /** By container, then by ordinal. */
  private readonly moved = new Map<string, Map<number, Place>>();
  private readonly written: string[] = [];
  private writer: ContainerWriter | undefined;
  private ordinal = 0;

  constructor(
    private readonly volume: ChunkVolume,
    private readonly domain: string,
  ) {}

  /** Throws `ContainerDamaged`, and leaves the container out, if something of it that lives cannot be read. */
  async take(reader: ContainerReader, live: readonly boolean[]): Promise<void> {
    const moved = new Map<number, Place>();
    for (let frame = 0; frame < reader.table.frames; frame += 1) {
      await this.takeFrame(reader, { frame, live, moved });
    }
    this.moved.set(reader.id, moved);
    const ids = reader.table.ids();
    this.taken.push({ id: reader.id, domain: this.domain, ids });
  }

  newPlace(old: Place): Place | undefined {
    return this.moved.get(old.container)?.get(old.ordinal);
  }

  /** Makes all of it durable. */
  async close(): Promise<void> {
    const { writer } = this;
    if (!writer) return;
    await writer.close();
    this.madeBytes += writer.bytes;
    this.made.push({ id: writer.id, domain: this.domain, ids: writer.ids });
    this.writer = undefined;
    this.ordinal = 0;
  }

  /** Removes what was made, for when the index does not know it. Never throws: what stays is found at a start. */
  async drop(): Promise<void> {
    const { files } = this.volume;
    await this.writer?.abandon();
    for (const id of this.written) {
      await files.dropUnclosed(id).catch(() => undefined);
      await files.drop(id).catch(() => undefined);
    }
  }

  /** From here on what is unclosed of it counts as left over. */
  forget(): void {
    for (const id of this.written) this.volume.writing.delete(id);
  }

  private async takeFrame(
    reader: ContainerReader,
    of: { frame: number; live: readonly boolean[]; moved: Map<number, Place> },
  ): Promise<void> {
    const { frame, live, moved } = of;
    const [from, end] = reader.table.ordinalsOf(frame);
    const ordinals: number[] = [];
    for (let at = from; at < end; at += 1) if (live[at]) ordinals.push(at);
    if (ordinals.length === 0) return;
    const stored =
      ordinals.length === end - from
        ? await reader.readStored(frame)
        : await repack(reader, { frame, ordinals });
    await this.append({ stored, chunks: ordinals.map((at) => reader.table.chunkOf(at)) });
    const first = this.ordinal - ordinals.length;
    const container = this.writer!.id;
    ordinals.forEach((old, nth) => moved.set(old, { container, ordinal: first + nth }));
  }

  private async append(frame: ChunkFrame): Promise<void> {
    if (this.writer && !this.writer.hasRoomFor(frame)) await this.close();
    if (!this.writer) {
      const { collectingGate: gate } = this.volume;
      this.writer = await beginContainer({ ...this.volume, gate }, this.domain);
      this.written.push(this.writer.id);
    }
    await this.writer.append(frame);
    this.ordinal += frame.chunks.length;
  }
}

async function repack(
  reader: ContainerReader,
  of: { frame: number; ordinals: readonly number[] },
): Promise<Buffer> {
  const bytes = await reader.readFrame(of.frame);
  const chunks = of.ordinals.map((ordinal) => reader.slice(ordinal, bytes));
  return compress(Buffer.concat(chunks), LEVEL);
}
