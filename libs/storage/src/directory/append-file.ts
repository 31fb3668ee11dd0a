import { constants } from 'node:fs';
import { copyFile, open, type FileHandle } from 'node:fs/promises';
import { Blake3Hasher } from '@napi-rs/blake-hash';
import { DirectReader } from './direct-reader.js';
import { DirectWriter } from './direct-writer.js';

/** What is longer goes past the page cache from here on. */
const CACHED_BYTES = 1024 * 1024;
const READ_BYTES = 1024 * 1024;
/** Within the page cache, so much is left to the last sync; more is brought to the disk while the file is still written. */
const SYNC_AHEAD_BYTES = 64 * 1024 * 1024;

/**
 * A new file that only grows. It counts its bytes. A long one is on its way to the disk before it is whole: the system
 * would begin seconds later, and whoever syncs at the end would wait for all of it (docs/performance.md). So what is
 * behind its first mebibyte goes past the page cache, or, where that cannot be, is synced now and then.
 */
export class AppendFile {
  bytes = 0;
  private syncedFrom = 0;
  private syncing: Promise<void> | undefined;
  private failure: { error: unknown } | undefined;
  private direct: DirectWriter | undefined;

  private constructor(
    readonly path: string,
    private readonly handle: FileHandle,
    private mayBeDirect: boolean,
  ) {}

  /**
   * Throws EEXIST if there is a file under that name.
   * @param isReadSoon it goes through the page cache, so that whoever reads it soon need not go to the disk
   */
  static async create(path: string, { isReadSoon = false } = {}): Promise<AppendFile> {
    return new AppendFile(path, await open(path, 'wx+', 0o600), !isReadSoon);
  }

  /**
   * When it has resolved the pieces may be reused.
   * @throws also what an earlier piece came to, on its way to the disk
   */
  async append(pieces: readonly Buffer[]): Promise<void> {
    if (this.failure) throw this.failure.error;
    if (this.mayBeDirect && this.bytes >= CACHED_BYTES) {
      this.mayBeDirect = false;
      this.direct = await DirectWriter.begin(this.handle, this.bytes);
    }
    if (this.direct) await this.appendPastCache(this.direct, pieces);
    else await this.appendToCache(pieces);
  }

  /**
   * Fills the file, which must be empty, with what is behind a descriptor of this process: as a
   * reflink, or else by a copy within the kernel. After a failure there may be no file any more.
   */
  async copyFrom(descriptor: number): Promise<void> {
    await copyFile(`/proc/self/fd/${descriptor}`, this.path, constants.COPYFILE_FICLONE);
    this.bytes = (await this.handle.stat()).size;
  }

  /** BLAKE3 of what the file holds, read back: from the disk, where it went past the page cache; hex. */
  async digest(): Promise<string> {
    await this.flush();
    const isLong = this.bytes > CACHED_BYTES;
    const direct = isLong ? await DirectReader.open(this.handle, READ_BYTES) : undefined;
    try {
      return await this.digestOf(direct ?? this.cached());
    } finally {
      await direct?.close();
    }
  }

  /** Makes the content durable. Once a sync has failed, so does every further one: the system tells of what it lost only once. */
  async sync(): Promise<void> {
    await this.flush();
    await this.syncing;
    if (!this.failure) await this.syncNow();
    if (this.failure) throw this.failure.error;
  }

  /** What was appended since the last sync may be lost. */
  async close(): Promise<void> {
    await this.direct?.close();
    this.direct = undefined;
    await this.handle.close();
  }

  /** What comes behind it goes through the page cache again. */
  private async flush(): Promise<void> {
    const { direct } = this;
    if (!direct) return;
    this.direct = undefined;
    try {
      await direct.flush();
    } catch (error) {
      this.failure = { error };
      throw error;
    } finally {
      await direct.close();
    }
  }

  private async appendPastCache(direct: DirectWriter, pieces: readonly Buffer[]): Promise<void> {
    try {
      await direct.append(pieces);
    } catch (error) {
      this.failure = { error };
      throw error;
    }
    for (const { length } of pieces) this.bytes += length;
  }

  private async appendToCache(pieces: readonly Buffer[]): Promise<void> {
    let rest = pieces.filter((piece) => piece.length > 0);
    while (rest.length > 0) {
      const { bytesWritten } = await this.handle.writev(rest, this.bytes);
      this.bytes += bytesWritten;
      rest = behind(rest, bytesWritten);
    }
    if (!this.syncing && this.bytes - this.syncedFrom >= SYNC_AHEAD_BYTES) this.syncAhead();
  }

  private cached(): Pick<DirectReader, 'read'> {
    const memory = Buffer.allocUnsafe(READ_BYTES);
    return {
      read: async (at, length) => {
        const { bytesRead } = await this.handle.read(memory, 0, length, at);
        return memory.subarray(0, bytesRead);
      },
    };
  }

  private async digestOf(reader: Pick<DirectReader, 'read'>): Promise<string> {
    const hash = new Blake3Hasher();
    for (let at = 0; at < this.bytes;) {
      const bytes = await reader.read(at, Math.min(READ_BYTES, this.bytes - at));
      if (bytes.length === 0) throw new Error(`${this.path} ends at ${at}`);
      hash.update(bytes);
      at += bytes.length;
    }
    return hash.digest('hex');
  }

  private syncAhead(): void {
    this.syncedFrom = this.bytes;
    this.syncing = this.syncNow().finally(() => {
      this.syncing = undefined;
    });
  }

  private async syncNow(): Promise<void> {
    try {
      await this.handle.datasync();
    } catch (error) {
      this.failure = { error };
    }
  }
}

function behind(pieces: Buffer[], bytes: number): Buffer[] {
  const rest: Buffer[] = [];
  let gone = bytes;
  for (const piece of pieces) {
    if (gone < piece.length) rest.push(piece.subarray(gone));
    gone = Math.max(0, gone - piece.length);
  }
  return rest;
}
