import { freeBytes } from '#kernel/free-bytes.js';
import type { ChunkEntry } from '../../chunk-intake.js';
import { ContainerDamaged, FragmentUnreadable } from '../../errors.js';
import type { Place } from '../index/chunk-map.js';
import type { ContainerFiles } from './container-files.js';
import { ContainerReader } from './container-reader.js';

const CONTAINERS_MAX = 8;
/** Unpacked frames (about 1 MiB, at most 4) that one reader keeps. */
const FRAMES_MAX = 8;
/** Frames that are read and unpacked ahead of whoever reads one behind the other. */
const FRAMES_AHEAD = 3;

/** A frame as it is stored, and its digest, which it has. */
export interface StoredFrame {
  readonly stored: Buffer;
  readonly digest: Buffer;
}

interface Found {
  readonly reader: ContainerReader;
  readonly frame: number;
}

/** Containers that one reader has open, and the frames of them that it has just read. Reads come one at a time. */
export class OpenContainers {
  private readonly readers = new Map<string, ContainerReader>();
  private readonly frames = new Map<string, Promise<Buffer>>();
  private latest: (Found & { bytes: Buffer }) | undefined;

  constructor(
    private readonly files: ContainerFiles,
    /** Whose chunks are read. */
    private readonly fragmentId: string,
  ) {}

  /** Opens it for `behind`. What is wrong with it whoever reads it hears. */
  async open(container: string): Promise<void> {
    try {
      await this.get(container);
    } catch (error) {
      if (!(error instanceof ContainerDamaged)) throw error;
    }
  }

  /** Where a chunk is if it lies behind another one, in a container that is open. */
  behind({ container, ordinal }: Place, chunk: ChunkEntry): Place | undefined {
    const isNext = this.readers.get(container)?.table.isId(ordinal + 1, chunk.id);
    return isNext ? { container, ordinal: ordinal + 1 } : undefined;
  }

  /**
   * A chunk's bytes, checked; undefined if the container is gone. They are the caller's until the next read.
   * Throws `ContainerDamaged`, and `FragmentUnreadable` for a chunk of another length.
   */
  async read(place: Place, chunk: ChunkEntry): Promise<Buffer | undefined> {
    const found = await this.look(place, chunk);
    if (!found) return undefined;
    const { reader, frame } = found;
    const isNext = this.latest?.reader === reader && this.latest.frame + 1 === frame;
    const reading = this.frame(found);
    if (isNext) {
      const end = Math.min(reader.table.frames, frame + 1 + FRAMES_AHEAD);
      for (let next = frame + 1; next < end; next += 1) void this.frame({ reader, frame: next });
    }
    this.latest = { ...found, bytes: await reading };
    return reader.slice(place.ordinal, this.latest.bytes);
  }

  /** A chunk out of the frame that was read last; undefined if it is not that, or is not what it should be. */
  peek(place: Place, chunk: ChunkEntry): Buffer | undefined {
    const { latest } = this;
    if (latest?.reader.id !== place.container) return undefined;
    const { table } = latest.reader;
    if (table.frameOf(place.ordinal) !== latest.frame) return undefined;
    if (table.lengthOf(place.ordinal) !== chunk.length) return undefined;
    return latest.reader.sliceIf(place.ordinal, latest.bytes, chunk.id);
  }

  /** All chunks of the frame that a chunk is in; undefined if the container is gone. Throws `ContainerDamaged`. */
  async neighbours(place: Place, chunk: ChunkEntry): Promise<readonly ChunkEntry[] | undefined> {
    const found = await this.look(place, chunk);
    return found?.reader.table.chunksOf(found.frame);
  }

  /** The stored frame that a chunk is in, checked by its digest; undefined if the container is gone. */
  async readStored(place: Place, chunk: ChunkEntry): Promise<StoredFrame | undefined> {
    const found = await this.look(place, chunk);
    if (!found) return undefined;
    const { reader, frame } = found;
    const stored = await reader.readStored(frame);
    // Not a view of the table: that would be kept as long as it.
    return { stored, digest: Buffer.from(reader.table.digestOf(frame)) };
  }

  async close(): Promise<void> {
    const readers = [...this.readers.values()];
    this.readers.clear();
    for (const frame of this.frames.values()) give(frame);
    this.frames.clear();
    await Promise.all(readers.map((reader) => reader.close()));
  }

  /** A frame that is kept, or is read from now on. */
  private frame({ reader, frame }: Found): Promise<Buffer> {
    const key = `${reader.id} ${frame}`;
    let reading = this.frames.get(key);
    if (!reading) {
      reading = reader.readFrame(frame);
      // It is thrown to whoever needs it, and may be whole the next time.
      reading.catch(() => this.frames.delete(key));
    }
    const dropped = keep(this.frames, { key, value: reading, max: FRAMES_MAX });
    if (dropped) give(dropped);
    return reading;
  }

  private async look(place: Place, chunk: ChunkEntry): Promise<Found | undefined> {
    const reader = await this.get(place.container);
    if (!reader) return undefined;
    const { table } = reader;
    if (!table.isId(place.ordinal, chunk.id)) {
      throw new ContainerDamaged(place.container, `has another chunk ${place.ordinal}`);
    }
    const length = table.lengthOf(place.ordinal);
    if (length !== chunk.length) {
      // The recipe's fault: nobody compared it with the container as it was written.
      const id = chunk.id.toString('hex');
      throw new FragmentUnreadable(
        this.fragmentId,
        `has a recipe that gives chunk ${id} ${chunk.length} bytes, and it has ${length}`,
      );
    }
    return { reader, frame: table.frameOf(place.ordinal) };
  }

  /** Undefined if it is gone. Throws `ContainerDamaged`. It may be closed when others are opened. */
  async get(id: string): Promise<ContainerReader | undefined> {
    const open = this.readers.get(id) ?? (await ContainerReader.open(this.files, id));
    if (!open) return undefined;
    await keep(this.readers, { key: id, value: open, max: CONTAINERS_MAX })?.close();
    return open;
  }
}

/** Nobody looks at it any more. */
function give(frame: Promise<Buffer>): void {
  frame.then(freeBytes, () => undefined);
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
