import { CHUNK_ID_BYTES } from '#archive/chunking/chunk-size.js';
import type { ChunkEntry } from '../../chunk-intake.js';

export const FRAME_ENTRY_BYTES = 40;
export const CHUNK_ENTRY_BYTES = CHUNK_ID_BYTES + 4;
const FRAME_HEAD_BYTES = 8;

/**
 * Which frames a container has, and which chunks they hold. It stays as it was read, 36 bytes and 8 more a chunk:
 * an object for each would take ten times as much.
 */
export class ContainerTable {
  private readonly firsts: Uint32Array;
  private readonly frameOfChunk: Uint32Array;
  private readonly offsets: Uint32Array;

  private constructor(
    private readonly entries: Buffer,
    readonly frames: number,
    readonly chunks: number,
  ) {
    this.firsts = new Uint32Array(frames + 1);
    this.frameOfChunk = new Uint32Array(chunks);
    this.offsets = new Uint32Array(chunks);
  }

  /** @param entries those of the frames, then those of the chunks; undefined if the frames have other chunks than these */
  static read(entries: Buffer, frames: number, chunks: number): ContainerTable | undefined {
    const bytes = frames * FRAME_ENTRY_BYTES + chunks * CHUNK_ENTRY_BYTES;
    if (entries.length !== bytes) return undefined;
    const table = new ContainerTable(entries, frames, chunks);
    let ordinal = 0;
    for (let frame = 0; frame < frames; frame += 1) {
      const end = ordinal + entries.readUInt32LE(frame * FRAME_ENTRY_BYTES + 4);
      if (end > chunks) return undefined;
      let offset = 0;
      for (; ordinal < end; ordinal += 1) {
        table.frameOfChunk[ordinal] = frame;
        table.offsets[ordinal] = offset;
        offset += table.lengthOf(ordinal);
      }
      table.firsts[frame + 1] = end;
    }
    return ordinal === chunks ? table : undefined;
  }

  storedBytesOf(frame: number): number {
    return this.entries.readUInt32LE(frame * FRAME_ENTRY_BYTES);
  }

  /** BLAKE3 of the stored frame. */
  digestOf(frame: number): Buffer {
    const at = frame * FRAME_ENTRY_BYTES;
    return this.entries.subarray(at + FRAME_HEAD_BYTES, at + FRAME_ENTRY_BYTES);
  }

  /** The ordinals of a frame's chunks: from the first one up to the second one, that one left out. */
  ordinalsOf(frame: number): readonly [number, number] {
    return [this.firsts[frame]!, this.firsts[frame + 1]!];
  }

  /** Of what a frame holds. */
  bytesOf(frame: number): number {
    const [first, end] = this.ordinalsOf(frame);
    return end === first ? 0 : this.offsets[end - 1]! + this.lengthOf(end - 1);
  }

  chunksOf(frame: number): ChunkEntry[] {
    const [first, end] = this.ordinalsOf(frame);
    return Array.from({ length: end - first }, (_, nth) => this.chunkOf(first + nth));
  }

  chunkOf(ordinal: number): ChunkEntry {
    return { id: this.idOf(ordinal), length: this.lengthOf(ordinal) };
  }

  ids(): Buffer[] {
    return Array.from({ length: this.chunks }, (_, ordinal) => this.idOf(ordinal));
  }

  idOf(ordinal: number): Buffer {
    const at = this.at(ordinal);
    return this.entries.subarray(at, at + CHUNK_ID_BYTES);
  }

  /** False, too, where there is no such ordinal. */
  isId(ordinal: number, id: Buffer): boolean {
    if (ordinal >= this.chunks) return false;
    const at = this.at(ordinal);
    return this.entries.compare(id, 0, CHUNK_ID_BYTES, at, at + CHUNK_ID_BYTES) === 0;
  }

  lengthOf(ordinal: number): number {
    return this.entries.readUInt32LE(this.at(ordinal) + CHUNK_ID_BYTES);
  }

  frameOf(ordinal: number): number {
    return this.frameOfChunk[ordinal]!;
  }

  /** Where the chunk begins in what its frame holds. */
  offsetOf(ordinal: number): number {
    return this.offsets[ordinal]!;
  }

  private at(ordinal: number): number {
    return this.frames * FRAME_ENTRY_BYTES + ordinal * CHUNK_ENTRY_BYTES;
  }
}
