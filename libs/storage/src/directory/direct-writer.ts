import type { FileHandle } from 'node:fs/promises';
import { assert } from '#kernel/assert.js';
import { codeOf } from '#kernel/errors.js';
import { freeBytes } from '#kernel/free-bytes.js';
import { openDirect } from './open-direct.js';
import { alignedBytes, BLOCK_BYTES } from '#kernel/c-library/aligned-bytes.js';

const STAGE_BYTES = 1024 * 1024;

/**
 * Writes what a file grows by past the page cache (`O_DIRECT`): what is synced anyway need not be copied into pages that
 * the system has to find first, which took media servers a third to two thirds of their CPU time
 * (docs/performance.md), and throws nothing out of the cache that somebody reads. It gathers 1 MiB and writes that while
 * the next is gathered. Calls come one at a time.
 */
export class DirectWriter {
  private filled = 0;
  /** At most one write is under way. */
  private writing: Promise<void> = Promise.resolve();

  private constructor(
    private readonly file: FileHandle,
    private direct: FileHandle | undefined,
    /** The place of the stage that is filled: a multiple of a block. */
    private at: number,
    private stages: readonly [filled: Buffer, written: Buffer],
  ) {}

  /**
   * @param file open for reading and writing; gets what cannot go past the cache
   * @param bytes what it holds
   * @returns undefined where the file system, or this machine, does not know how
   */
  static async begin(file: FileHandle, bytes: number): Promise<DirectWriter | undefined> {
    const [one, other] = [alignedBytes(STAGE_BYTES), alignedBytes(STAGE_BYTES)];
    const direct = one && other && (await openDirect(file, 'writing'));
    if (!direct) return undefined;
    const beyond = bytes % BLOCK_BYTES;
    const writer = new DirectWriter(file, direct, bytes - beyond, [one, other]);
    try {
      await writer.readBegun(beyond);
      return writer;
    } catch (error) {
      await direct.close();
      throw error;
    }
  }

  /** When it has resolved the pieces may be reused. Throws also what an earlier one came to. */
  async append(pieces: readonly Buffer[]): Promise<void> {
    for (const piece of pieces) {
      for (let from = 0; from < piece.length;) {
        const taken = piece.copy(this.stages[0], this.filled, from);
        assert(taken > 0, 'a writer that was closed is written to');
        from += taken;
        this.filled += taken;
        if (this.filled === STAGE_BYTES) await this.turn();
      }
    }
  }

  /** Has the system know all of it; the last piece is in the page cache. `close` must follow. */
  async flush(): Promise<void> {
    await this.writing;
    await writeAll(this.file, this.stages[0].subarray(0, this.filled), this.at);
  }

  /** Throws nothing that a write came to. */
  async close(): Promise<void> {
    await this.writing.catch(() => undefined);
    for (const stage of this.stages) freeBytes(stage);
    await this.direct?.close();
  }

  /** The block that was begun is written once more, as a whole. */
  private async readBegun(bytes: number): Promise<void> {
    while (this.filled < bytes) {
      const [stage] = this.stages;
      const at = this.at + this.filled;
      const { bytesRead } = await this.file.read(stage, this.filled, bytes - this.filled, at);
      if (bytesRead === 0) throw new Error(`The file ends at ${at}, before what was written`);
      this.filled += bytesRead;
    }
  }

  private async turn(): Promise<void> {
    await this.writing;
    const [full, empty] = this.stages;
    this.writing = this.write(full, this.at);
    this.writing.catch(() => undefined); // thrown by whatever comes next
    this.stages = [empty, full];
    this.at += STAGE_BYTES;
    this.filled = 0;
  }

  private async write(stage: Buffer, at: number): Promise<void> {
    const written = await this.writePastCache(stage, at);
    await writeAll(this.file, stage.subarray(written), at + written);
  }

  /** @returns how much of it was written: some, where there is no room for more; nothing, where that is not known here */
  private async writePastCache(stage: Buffer, at: number): Promise<number> {
    if (!this.direct) return 0;
    try {
      return (await this.direct.write(stage, 0, stage.length, at)).bytesWritten;
    } catch (error) {
      if (codeOf(error) !== 'EINVAL') throw error;
      await this.direct.close();
      this.direct = undefined;
      return 0;
    }
  }
}

async function writeAll(file: FileHandle, bytes: Buffer, at: number): Promise<void> {
  for (let from = 0; from < bytes.length;) {
    const { bytesWritten } = await file.write(bytes, from, bytes.length - from, at + from);
    from += bytesWritten;
  }
}
