import type { FileHandle } from 'node:fs/promises';
import { alignedBytes, BLOCK_BYTES } from '#kernel/c-library/aligned-bytes.js';
import { codeOf } from '#kernel/errors.js';
import { freeBytes } from '#kernel/free-bytes.js';
import { openDirect } from './open-direct.js';

/**
 * Reads past the page cache what the disk has: whoever reads back what was written hears of the disk, and throws nothing
 * out of the cache. Calls come one at a time.
 */
export class DirectReader {
  private constructor(
    private readonly handle: FileHandle,
    private readonly memory: Buffer,
  ) {}

  /**
   * @param bytesMax of one read
   * @returns undefined where the file system, or this machine, does not know how
   */
  static async open(file: FileHandle, bytesMax: number): Promise<DirectReader | undefined> {
    const memory = alignedBytes(blocksOf(bytesMax) + BLOCK_BYTES);
    const handle = memory && (await openDirect(file, 'reading'));
    if (!handle) return undefined;
    const reader = new DirectReader(handle, memory);
    try {
      // Some file systems let it be opened, and then say so.
      await reader.read(0, 1);
      return reader;
    } catch (error) {
      await reader.close();
      if (codeOf(error) === 'EINVAL') return undefined;
      throw error;
    }
  }

  /** @returns the bytes from `at` on, fewer at the file's end; somebody else's with the next read */
  async read(at: number, length: number): Promise<Buffer> {
    const before = at % BLOCK_BYTES;
    const room = blocksOf(before + length);
    let filled = 0;
    while (filled < before + length) {
      const { bytesRead } = await this.handle.read(
        ...([this.memory, filled, room - filled, at - before + filled] as const),
      );
      filled += bytesRead;
      // Nothing goes on behind less than a block.
      if (bytesRead === 0 || bytesRead % BLOCK_BYTES !== 0) break;
    }
    return this.memory.subarray(before, Math.max(before, Math.min(filled, before + length)));
  }

  async close(): Promise<void> {
    freeBytes(this.memory);
    await this.handle.close();
  }
}

function blocksOf(bytes: number): number {
  return Math.ceil(bytes / BLOCK_BYTES) * BLOCK_BYTES;
}
