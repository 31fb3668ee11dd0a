import type { ChunkEntry, ChunkFrame } from '../../chunk-intake.js';
import { ContainerDamaged } from '../../errors.js';
import type { ContainerFiles } from './container-files.js';
import { ContainerReader } from './container-reader.js';
import type { Place } from '../index/chunk-map.js';

const CONTAINERS_MAX = 8;
const FRAMES_MAX = 8;

export interface FoundFrame {
  readonly container: string;
  readonly chunks: readonly ChunkEntry[];
  /** Reads and checks all of it, while the containers are open. */
  read(): Promise<ChunkFrame>;
}

/** Containers that one reader has open, and the frames of them that it has just read. */
export class OpenContainers {
  private readonly readers = new Map<string, ContainerReader>();
  private readonly frames = new Map<string, Buffer>();
  private latest: { reader: ContainerReader; frame: number; bytes: Buffer } | undefined;

  constructor(private readonly files: ContainerFiles) {}

  /** A chunk's bytes, checked; undefined if the container is gone. Throws `ContainerDamaged`. */
  async read(place: Place, chunk: ChunkEntry): Promise<Buffer | undefined> {
    const found = await this.look(place, chunk);
    if (!found) return undefined;
    const { reader, frame } = found;
    const key = `${place.container} ${frame}`;
    const bytes = this.frames.get(key) ?? (await reader.readFrame(frame));
    keep(this.frames, { key, value: bytes, max: FRAMES_MAX });
    this.latest = { reader, frame, bytes };
    return reader.slice(place.ordinal, bytes);
  }

  /** A chunk out of the frame that was read last; undefined if it is not that, or is not what it should be. */
  peek(place: Place, chunk: ChunkEntry): Buffer | undefined {
    const { latest } = this;
    const entry = latest?.reader.places[place.ordinal];
    const isIn = latest?.reader.id === place.container && entry?.frame === latest.frame;
    if (!isIn || entry.length !== chunk.length) return undefined;
    return latest.reader.sliceIf(place.ordinal, latest.bytes, chunk.id);
  }

  /** The stored frame that a chunk is in; undefined if the container is gone. Throws `ContainerDamaged`. */
  async frameOf(place: Place, chunk: ChunkEntry): Promise<FoundFrame | undefined> {
    const found = await this.look(place, chunk);
    if (!found) return undefined;
    const { reader, frame } = found;
    return {
      container: reader.id,
      chunks: reader.frames[frame]!.chunks,
      read: () => reader.readWhole(frame),
    };
  }

  async close(): Promise<void> {
    const readers = [...this.readers.values()];
    this.readers.clear();
    await Promise.all(readers.map((reader) => reader.close()));
  }

  private async look(
    place: Place,
    chunk: ChunkEntry,
  ): Promise<{ reader: ContainerReader; frame: number } | undefined> {
    const reader = await this.reader(place.container);
    const entry = reader?.places[place.ordinal];
    if (!reader) return undefined;
    if (!entry?.id.equals(chunk.id) || entry.length !== chunk.length) {
      throw new ContainerDamaged(place.container, `has another chunk ${place.ordinal}`);
    }
    return { reader, frame: entry.frame };
  }

  private async reader(id: string): Promise<ContainerReader | undefined> {
    const open = this.readers.get(id) ?? (await ContainerReader.open(this.files, id));
    if (!open) return undefined;
    await keep(this.readers, { key: id, value: open, max: CONTAINERS_MAX })?.close();
    return open;
  }
}

/** Puts it last; what was used longest ago goes when there are too many. */
function keep<T>(
  map: Map<string, T>,
  { key, value, max }: { key: string; value: T; max: number },
): T | undefined {
  map.delete(key);
  map.set(key, value);
  const [oldest] = map;
  if (map.size <= max || !oldest) return undefined;
  map.delete(oldest[0]);
  return oldest[1];
}
