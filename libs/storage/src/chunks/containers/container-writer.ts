import { CHUNK_BYTES_MAX, CHUNK_ID_BYTES } from '#archive/chunking/chunk-size.js';
import { rename } from 'node:fs/promises';
import { dirname } from 'node:path';
import { blake3 } from '#kernel/blake3.js';
import { isFrameOf } from '#archive/frames/frame-bound.js';
import { assert } from '#kernel/assert.js';
import { InvalidInput } from '#kernel/errors.js';
import type { ChunkFrame } from '../../chunk-intake.js';
import { AppendFile } from '../../directory/append-file.js';
import { syncFolder } from '../../directory/sync-folder.js';
import { writeError } from '../../errors.js';
import { FirstFailure } from '../../first-failure.js';
import type { SpaceGate } from '../../space-gate.js';
import {
  CONTAINER_BYTES_MAX,
  CONTAINER_CHUNKS_MAX,
  encodeHead,
  encodeTable,
  FRAME_BYTES_MAX,
  STORED_FRAME_BYTES_MAX,
  type ContainerHead,
  type FrameEntry,
} from './container-format.js';
import type { ContainerFiles } from './container-files.js';

/**
 * A container being written: a file that only grows, under a temporary name until `close`. What a
 * crash leaves under that name nobody was told of, and nothing reads it. Calls come one at a time.
 */
export class ContainerWriter {
  private readonly frames: FrameEntry[] = [];
  private chunkCount = 0;
  private readonly failure = new FirstFailure((error) => writeError(this.files.folder, error));

  private constructor(
    readonly id: string,
    readonly domain: string,
    private readonly files: ContainerFiles,
    private readonly gate: SpaceGate,
    private readonly file: AppendFile,
  ) {}

  /** Throws `VolumeFull` or `VolumeWriteFailed`. */
  static async create(
    files: ContainerFiles,
    { id, domain }: ContainerHead,
    gate: SpaceGate,
  ): Promise<ContainerWriter> {
    try {
      await gate.take(0);
      await files.makeFolder(id);
      const file = await AppendFile.create(files.partialPath(id));
      const writer = new ContainerWriter(id, domain, files, gate, file);
      try {
        await writer.append(encodeHead({ id, domain }));
        return writer;
      } catch (error) {
        await writer.abandon();
        throw error;
      }
    } catch (error) {
      throw writeError(files.folder, error);
    }
  }

  get bytes(): number {
    return this.file.bytes;
  }

  /** The ids of what is in it, in order: a chunk's place among them is its ordinal. */
  get ids(): Buffer[] {
    return this.frames.flatMap(({ chunks }) => chunks.map(({ id }) => id));
  }

  /** False when this frame has to go into another container. */
  hasRoomFor(frame: ChunkFrame): boolean {
    if (this.frames.length === 0) return true;
    const bytes = this.bytes + frame.stored.length;
    const chunks = this.chunkCount + frame.chunks.length;
    return bytes <= CONTAINER_BYTES_MAX && chunks <= CONTAINER_CHUNKS_MAX;
  }

  /** Appends a frame; its buffers may be reused when it has resolved, those of the ids may not. */
  async append(frame: ChunkFrame | Buffer): Promise<void> {
    const bytes = Buffer.isBuffer(frame) ? frame : frame.stored;
    await this.failure.attempt(async () => {
      await this.gate.take(bytes.length);
      await this.file.append([bytes]);
    });
    if (Buffer.isBuffer(frame)) return;
    const { chunks, digest = blake3(bytes) } = frame;
    this.frames.push({ storedBytes: bytes.length, digest, chunks });
    this.chunkCount += chunks.length;
  }

  /** Writes the table and makes the container durable under its name. */
  async close(): Promise<void> {
    assert(this.frames.length > 0, 'an empty container is closed');
    await this.append(encodeTable(encodeHead(this), this.frames));
    await this.failure.attempt(async () => {
      await this.file.sync();
      await this.file.close();
      await rename(this.files.partialPath(this.id), this.files.path(this.id));
      await syncFolder(dirname(this.files.path(this.id)));
    });
  }

  /** Lets go of the file and leaves it aside. Never throws. */
  async abandon(): Promise<void> {
    try {
      await this.file.close();
    } catch {
      // The descriptor is gone either way, and nothing of an unclosed container is relied on.
    }
  }
}

/** Throws `InvalidInput` for a frame that no container can hold. */
export function checkFrame(frame: ChunkFrame): void {
  const { stored, chunks } = frame;
  const bytes = chunks.reduce((sum, { length }) => sum + length, 0);
  const ok =
    chunks.length > 0 &&
    chunks.length <= CONTAINER_CHUNKS_MAX &&
    stored.length > 0 &&
    stored.length <= STORED_FRAME_BYTES_MAX &&
    chunks.every(({ id, length }) => id.length === CHUNK_ID_BYTES && isLength(length)) &&
    bytes <= FRAME_BYTES_MAX &&
    isFrameOf(stored, bytes);
  if (!ok) throw new InvalidInput('is no frame of chunks, or is too long', 'frame');
}

function isLength(length: number): boolean {
  return Number.isInteger(length) && length > 0 && length <= CHUNK_BYTES_MAX;
}
