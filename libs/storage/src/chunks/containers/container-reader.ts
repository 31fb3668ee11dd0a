import { open, type FileHandle } from 'node:fs/promises';
import { decompress } from '#archive/frames/zstd.js';
import { blake3 } from '@napi-rs/blake-hash';
import { isFrameOf } from '#archive/frames/frame-bound.js';
import { messageOf } from '#kernel/errors.js';
import { freeBytes } from '#kernel/free-bytes.js';
import type { ChunkEntry, ChunkFrame } from '../../chunk-intake.js';
import { ContainerDamaged, hostError } from '../../errors.js';
import type { ContainerFiles } from './container-files.js';
import {
  decodeFooter,
  decodeHead,
  decodeTable,
  FOOTER_BYTES,
  type ContainerHead,
  type FrameEntry,
} from './container-format.js';

/** Where a chunk lies in its container. */
export interface ChunkPlace extends ChunkEntry {
  readonly frame: number;
  /** In what the frame holds. */
  readonly offset: number;
}

/**
 * A closed container, open for reading. A stored frame is checked by its digest and a chunk by its
 * id, so what is read is what was written, or `ContainerDamaged` is thrown.
 */
export class ContainerReader {
  readonly id: string;
  readonly domain: string;
  readonly frames: readonly FrameEntry[];
  /** By ordinal. */
  readonly places: readonly ChunkPlace[];
  private readonly starts: { offsets: readonly number[]; firsts: readonly number[] };

  private constructor(
    head: ContainerHead,
    private readonly handle: FileHandle,
    table: Pick<ContainerReader, 'frames' | 'places'> & { starts: ContainerReader['starts'] },
    /** Of its file. */
    readonly bytes: number,
  ) {
    this.id = head.id;
    this.domain = head.domain;
    this.frames = table.frames;
    this.places = table.places;
    this.starts = table.starts;
  }

  /** Undefined where there is no such container. Throws `ContainerDamaged` or `HostExhausted`. */
  static async open(files: ContainerFiles, id: string): Promise<ContainerReader | undefined> {
    let handle: FileHandle;
    try {
      handle = await open(files.path(id), 'r');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw hostError(files.path(id), error) ?? new ContainerDamaged(id, messageOf(error));
    }
    try {
      return await ContainerReader.readTable(id, handle);
    } catch (error) {
      await handle.close();
      if (error instanceof ContainerDamaged) throw error;
      throw hostError(files.path(id), error) ?? new ContainerDamaged(id, messageOf(error));
    }
  }

  private static async readTable(id: string, handle: FileHandle): Promise<ContainerReader> {
    const damaged = (reason: string) => new ContainerDamaged(id, reason);
    const { size } = await handle.stat();
    if (size < FOOTER_BYTES) throw damaged('has no footer');
    const footer = decodeFooter(await readExactly(handle, size - FOOTER_BYTES, FOOTER_BYTES));
    if (!footer || footer.tableBytes + footer.headBytes > size) throw damaged('has no footer');
    const headBytes = await readExactly(handle, 0, footer.headBytes);
    const table = await readExactly(handle, size - footer.tableBytes, footer.tableBytes);
    const frames = decodeTable(headBytes, table, footer);
    const head = decodeHead(headBytes);
    if (!frames || head?.id !== id) throw damaged('has a table that is not what was written');
    const offsets: number[] = [];
    const firsts: number[] = [];
    let at = footer.headBytes;
    let first = 0;
    for (const { storedBytes, chunks } of frames) {
      offsets.push(at);
      firsts.push(first);
      at += storedBytes;
      first += chunks.length;
    }
    if (at !== size - footer.tableBytes) throw damaged('is longer or shorter than its frames');
    const starts = { offsets, firsts };
    return new ContainerReader(head, handle, { frames, starts, places: placesOf(frames) }, size);
  }

  /** The ordinals of a frame's chunks: from the first one up to the second one, that one left out. */
  ordinalsOf(frame: number): readonly [number, number] {
    const first = this.starts.firsts[frame]!;
    return [first, first + this.frames[frame]!.chunks.length];
  }

  /** The stored frame, checked by its digest. */
  async readStored(frame: number): Promise<Buffer> {
    const stored = await this.read(frame);
    const { digest } = this.frames[frame]!;
    if (!blake3(stored).equals(digest)) throw this.damaged(`frame ${frame} has another digest`);
    return stored;
  }

  /** What a frame holds. Nothing is checked yet: `slice` checks what is taken out of it, by its id. */
  async readFrame(frame: number): Promise<Buffer> {
    const stored = await this.read(frame);
    const bytes = await this.unpack(frame, stored);
    freeBytes(stored);
    return bytes;
  }

  /** A stored frame with its chunks, all of it checked. */
  async readWhole(frame: number): Promise<ChunkFrame> {
    const stored = await this.readStored(frame);
    const bytes = await this.unpack(frame, stored);
    const [first, end] = this.ordinalsOf(frame);
    for (let ordinal = first; ordinal < end; ordinal += 1) this.slice(ordinal, bytes);
    return { stored, chunks: this.frames[frame]!.chunks };
  }

  /** A chunk out of what its frame holds, checked by its id. */
  slice(ordinal: number, frame: Buffer): Buffer {
    const bytes = this.sliceIf(ordinal, frame, this.places[ordinal]!.id);
    if (!bytes) throw this.damaged(`chunk ${ordinal} is not what its id says`);
    return bytes;
  }

  /** Like `slice`; undefined if it is not the chunk with this id. */
  sliceIf(ordinal: number, frame: Buffer, id: Buffer): Buffer | undefined {
    const { offset, length } = this.places[ordinal]!;
    const bytes = frame.subarray(offset, offset + length);
    return blake3(bytes).equals(id) ? bytes : undefined;
  }

  async close(): Promise<void> {
    await this.handle.close();
  }

  private async read(frame: number): Promise<Buffer> {
    try {
      const { storedBytes } = this.frames[frame]!;
      return await readExactly(this.handle, this.starts.offsets[frame]!, storedBytes);
    } catch (error) {
      throw (
        hostError(this.id, error) ?? this.damaged(`cannot read frame ${frame}: ${messageOf(error)}`)
      );
    }
  }

  private async unpack(frame: number, stored: Buffer): Promise<Buffer> {
    const expected = this.frames[frame]!.chunks.reduce((sum, { length }) => sum + length, 0);
    if (!isFrameOf(stored, expected))
      throw this.damaged(`frame ${frame} is no frame of its chunks`);
    let bytes: Buffer;
    try {
      bytes = await decompress(stored);
    } catch (error) {
      throw this.damaged(`frame ${frame} cannot be decompressed: ${messageOf(error)}`);
    }
    if (bytes.length !== expected) throw this.damaged(`frame ${frame} holds other bytes`);
    return bytes;
  }

  private damaged(reason: string): ContainerDamaged {
    return new ContainerDamaged(this.id, reason);
  }
}

function placesOf(frames: readonly FrameEntry[]): ChunkPlace[] {
  return frames.flatMap(({ chunks }, frame) => {
    let offset = 0;
    return chunks.map(({ id, length }) => {
      const place = { id, length, frame, offset };
      offset += length;
      return place;
    });
  });
}

async function readExactly(handle: FileHandle, position: number, length: number): Promise<Buffer> {
  // Not of Node's pool: it can be given back at once.
  const bytes = Buffer.allocUnsafeSlow(length);
  let filled = 0;
  while (filled < length) {
    const { bytesRead } = await handle.read(bytes, filled, length - filled, position + filled);
    if (bytesRead === 0) throw new Error(`it ends at byte ${position + filled}`);
    filled += bytesRead;
  }
  return bytes;
}
