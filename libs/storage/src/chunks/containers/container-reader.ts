import { open, type FileHandle } from 'node:fs/promises';
import { rawContentBytes, rawFrameContent } from '#archive/frames/raw-frame.js';
import { decompress } from '#archive/frames/zstd.js';
import { blake3 } from '#kernel/blake3.js';
import { isFrameOf } from '#archive/frames/frame-bound.js';
import { messageOf } from '#kernel/errors.js';
import { freeBytes } from '#kernel/free-bytes.js';
import type { ChunkFrame } from '../../chunk-intake.js';
import { DirectReader } from '../../directory/direct-reader.js';
import { ContainerDamaged, hostError } from '../../errors.js';
import { readInto } from '../../read-range.js';
import type { ContainerFiles } from './container-files.js';
import {
  decodeFooter,
  decodeHead,
  decodeTable,
  FOOTER_BYTES,
  STORED_FRAME_BYTES_MAX,
  type ContainerHead,
} from './container-format.js';
import type { ContainerTable } from './container-table.js';

/** Stored frames that are read at once come to so much, or are one: a mebibyte that could not be compressed is more. */
const PIECE_BYTES = 1024 * 1024 + 64 * 1024;

/** Memory that pieces are read or unpacked into, used again: to be given new memory costs more than to read. */
export class PieceBuffers {
  private readonly free: Buffer[] = [];

  take(bytes: number): Buffer {
    const kept = this.free.pop();
    if (kept && kept.length >= bytes) return kept.subarray(0, bytes);
    if (kept) freeBytes(kept);
    return Buffer.allocUnsafeSlow(Math.max(bytes, PIECE_BYTES)).subarray(0, bytes);
  }

  /** From here on nothing of it is looked at. */
  giveBack(piece: Buffer): void {
    this.free.push(Buffer.from(piece.buffer));
  }
}

/**
 * A closed container, open for reading. A stored frame is checked by its digest and a chunk by its
 * id, so what is read is what was written, or `ContainerDamaged` is thrown.
 */
export class ContainerReader {
  readonly id: string;
  readonly domain: string;

  private constructor(
    head: ContainerHead,
    private readonly handle: FileHandle,
    readonly table: ContainerTable,
    private readonly starts: Float64Array,
    /** Of its file. */
    readonly bytes: number,
  ) {
    this.id = head.id;
    this.domain = head.domain;
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
    const tableBytes = await readExactly(handle, size - footer.tableBytes, footer.tableBytes);
    const table = decodeTable(headBytes, tableBytes, footer);
    const head = decodeHead(headBytes);
    if (!table || head?.id !== id) throw damaged('has a table that is not what was written');
    const starts = new Float64Array(table.frames);
    let at = footer.headBytes;
    for (let frame = 0; frame < table.frames; frame += 1) {
      starts[frame] = at;
      at += table.storedBytesOf(frame);
    }
    if (at !== size - footer.tableBytes) throw damaged('is longer or shorter than its frames');
    return new ContainerReader(head, handle, table, starts, size);
  }

  /** The stored frame, checked by its digest. */
  async readStored(frame: number): Promise<Buffer> {
    const stored = await this.read(frame);
    this.checkDigest(frame, stored);
    return stored;
  }

  /** Reads all stored frames, from the disk where that can be, and checks their digests. */
  async checkStored(): Promise<void> {
    const direct = await DirectReader.open(this.handle, STORED_FRAME_BYTES_MAX);
    try {
      const buffers = new PieceBuffers();
      for (let first = 0; first < this.table.frames;) {
        const end = this.pieceFrom(first, this.table.frames);
        const piece = direct
          ? await this.pieceOnDisk(first, end, direct)
          : await this.readPiece(first, end, buffers);
        for (let frame = first; frame < end; frame += 1) {
          this.checkDigest(frame, this.storedIn(piece, first, frame));
        }
        if (!direct) buffers.giveBack(piece);
        first = end;
      }
    } finally {
      await direct?.close();
    }
  }

  /** The frame behind the last one of those from `first` on that are read at once; at most `end`. */
  pieceFrom(first: number, end: number): number {
    let last = first + 1;
    const stop = this.starts[first]! + PIECE_BYTES;
    const isIn = (frame: number) => this.starts[frame]! + this.table.storedBytesOf(frame) <= stop;
    while (last < end && isIn(last)) last += 1;
    return last;
  }

  /** The stored frames from `first` up to `end`, unchecked. */
  readPiece(first: number, end: number, buffers: PieceBuffers): Promise<Buffer> {
    const bytes = this.storedBytesOf(first, end);
    return this.reading(first, () =>
      readExactly(this.handle, this.starts[first]!, bytes, buffers.take(bytes)),
    );
  }

  /** What the frames from `first` up to `end` hold. */
  bytesOf(first: number, end: number): number {
    let bytes = 0;
    for (let frame = first; frame < end; frame += 1) bytes += this.table.bytesOf(frame);
    return bytes;
  }

  /** One of the frames of a piece that begins with `first`. */
  storedIn(piece: Buffer, first: number, frame: number): Buffer {
    const at = this.starts[frame]! - this.starts[first]!;
    return piece.subarray(at, at + this.table.storedBytesOf(frame));
  }

  /** What a frame holds. Nothing is checked yet: `slice` checks what is taken out of it, by its id. */
  async readFrame(frame: number): Promise<Buffer> {
    const stored = await this.read(frame);
    const bytes = await this.unpack(frame, stored);
    freeBytes(stored);
    return bytes;
  }

  /**
   * What the frames of a piece from `first` up to `end` hold, each in parts, unchecked: parts of the piece
   * where they are not compressed; else, for several frames at once, of memory that is taken from `buffers`.
   */
  async contents(
    piece: Buffer,
    [first, end]: readonly [number, number],
    buffers: PieceBuffers,
  ): Promise<readonly Buffer[][]> {
    const contents: Promise<Buffer[]>[] = [];
    for (let frame = first; frame < end;) {
      const stored = this.storedIn(piece, first, frame);
      if (this.isRaw(frame, stored)) {
        contents.push(Promise.resolve(rawFrameContent(stored)));
        frame += 1;
        continue;
      }
      let last = frame + 1;
      const goesOn = () => last < end && !this.isRaw(last, this.storedIn(piece, first, last));
      while (goesOn()) last += 1;
      contents.push(...this.unpackAll(piece, first, [frame, last], buffers));
      frame = last;
    }
    return Promise.all(contents);
  }

  /** A stored frame with its chunks, all of it checked. */
  async readWhole(frame: number): Promise<ChunkFrame> {
    const stored = await this.readStored(frame);
    const bytes = await this.unpack(frame, stored);
    const [first, end] = this.table.ordinalsOf(frame);
    for (let ordinal = first; ordinal < end; ordinal += 1) this.slice(ordinal, bytes);
    return { stored, chunks: this.table.chunksOf(frame) };
  }

  /** Which chunks of a frame are what their ids say: none, where the frame is not what was stored. */
  async soundIn(frame: number): Promise<boolean[]> {
    const [first, end] = this.table.ordinalsOf(frame);
    const ordinals = Array.from({ length: end - first }, (_, nth) => first + nth);
    try {
      const bytes = await this.unpack(frame, await this.readStored(frame));
      return ordinals.map((at) => this.sliceIf(at, bytes, this.table.idOf(at)) !== undefined);
    } catch (error) {
      if (!(error instanceof ContainerDamaged)) throw error;
      return ordinals.map(() => false);
    }
  }

  /** A chunk out of what its frame holds, checked by its id. */
  slice(ordinal: number, frame: Buffer): Buffer {
    const bytes = this.sliceIf(ordinal, frame, this.table.idOf(ordinal));
    if (!bytes) throw this.damaged(`chunk ${ordinal} is not what its id says`);
    return bytes;
  }

  /** Like `slice`; undefined if it is not the chunk with this id. */
  sliceIf(ordinal: number, frame: Buffer, id: Buffer): Buffer | undefined {
    const offset = this.table.offsetOf(ordinal);
    const bytes = frame.subarray(offset, offset + this.table.lengthOf(ordinal));
    return blake3(bytes).equals(id) ? bytes : undefined;
  }

  async close(): Promise<void> {
    await this.handle.close();
  }

  private checkDigest(frame: number, stored: Buffer): void {
    const digest = this.table.digestOf(frame);
    if (!blake3(stored).equals(digest)) throw this.damaged(`frame ${frame} has another digest`);
  }

  private read(frame: number): Promise<Buffer> {
    const bytes = this.table.storedBytesOf(frame);
    return this.reading(frame, () => readExactly(this.handle, this.starts[frame]!, bytes));
  }

  private pieceOnDisk(first: number, end: number, direct: DirectReader): Promise<Buffer> {
    const bytes = this.storedBytesOf(first, end);
    return this.reading(first, async () => {
      const piece = await direct.read(this.starts[first]!, bytes);
      if (piece.length === bytes) return piece;
      throw new Error(`it ends at byte ${this.starts[first]! + piece.length}`);
    });
  }

  private storedBytesOf(first: number, end: number): number {
    return this.starts[end - 1]! + this.table.storedBytesOf(end - 1) - this.starts[first]!;
  }

  private async reading(frame: number, read: () => Promise<Buffer>): Promise<Buffer> {
    try {
      return await read();
    } catch (error) {
      throw (
        hostError(this.id, error) ?? this.damaged(`cannot read frame ${frame}: ${messageOf(error)}`)
      );
    }
  }

  private isRaw(frame: number, stored: Buffer): boolean {
    return rawContentBytes(stored) === this.table.bytesOf(frame);
  }

  /** Unpacks frames of a piece at once: each call of the pool wakes a thread. */
  private unpackAll(
    piece: Buffer,
    first: number,
    [from, to]: [number, number],
    buffers: PieceBuffers,
  ): Promise<Buffer[]>[] {
    const into = buffers.take(this.bytesOf(from, to));
    const unpacking = this.unpackFrames(piece, first, [from, to], into);
    return Array.from({ length: to - from }, async (_, nth) => {
      const at = this.bytesOf(from, from + nth);
      return [(await unpacking).subarray(at, at + this.table.bytesOf(from + nth))];
    });
  }

  private unpack(frame: number, stored: Buffer): Promise<Buffer> {
    return this.unpackFrames(stored, frame, [frame, frame + 1]);
  }

  private async unpackFrames(
    piece: Buffer,
    first: number,
    [frame, end]: [number, number],
    into: Buffer = Buffer.allocUnsafeSlow(this.bytesOf(frame, end)),
  ): Promise<Buffer> {
    const parts = Array.from({ length: end - frame }, (_, nth) => {
      const stored = this.storedIn(piece, first, frame + nth);
      if (isFrameOf(stored, this.table.bytesOf(frame + nth))) return stored;
      throw this.damaged(`frame ${frame + nth} is no frame of its chunks`);
    });
    const stored = spanOf(parts);
    let bytes: Buffer;
    try {
      bytes = await decompress(stored, into);
    } catch (error) {
      throw this.damaged(`frame ${frame} cannot be decompressed: ${messageOf(error)}`);
    }
    if (bytes.length !== into.length) throw this.damaged(`frame ${frame} holds other bytes`);
    return bytes;
  }

  private damaged(reason: string): ContainerDamaged {
    return new ContainerDamaged(this.id, reason);
  }
}

/** Frames that lie one behind the other in memory, as one. */
function spanOf(parts: readonly Buffer[]): Buffer {
  const [first] = parts;
  const bytes = parts.reduce((sum, { length }) => sum + length, 0);
  return Buffer.from(first!.buffer, first!.byteOffset, bytes);
}

async function readExactly(
  handle: FileHandle,
  position: number,
  length: number,
  // Not of Node's pool: it can be given back at once.
  bytes: Buffer = Buffer.allocUnsafeSlow(length),
): Promise<Buffer> {
  const filled = await readInto(bytes, handle, position);
  if (filled < length) throw new Error(`it ends at byte ${position + filled}`);
  return bytes;
}
