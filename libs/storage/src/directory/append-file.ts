import { constants } from 'node:fs';
import { copyFile, open, type FileHandle } from 'node:fs/promises';
import { Blake3Hasher } from '@napi-rs/blake-hash';

const READ_BYTES = 1024 * 1024;

/** A new file that only grows. It counts its bytes and writes pieces without joining them. */
export class AppendFile {
  bytes = 0;

  private constructor(
    readonly path: string,
    private readonly handle: FileHandle,
  ) {}

  /** Throws EEXIST if there is a file under that name. */
  static async create(path: string): Promise<AppendFile> {
    return new AppendFile(path, await open(path, 'wx+', 0o600));
  }

  async append(pieces: readonly Buffer[]): Promise<void> {
    let rest = pieces.filter((piece) => piece.length > 0);
    while (rest.length > 0) {
      const { bytesWritten } = await this.handle.writev(rest, this.bytes);
      this.bytes += bytesWritten;
      rest = behind(rest, bytesWritten);
    }
  }

  /**
   * Fills the file, which must be empty, with what is behind a descriptor of this process: as a
   * reflink, or else by a copy within the kernel. After a failure there may be no file any more.
   */
  async copyFrom(descriptor: number): Promise<void> {
    await copyFile(`/proc/self/fd/${descriptor}`, this.path, constants.COPYFILE_FICLONE);
    this.bytes = (await this.handle.stat()).size;
  }

  /** BLAKE3 of what the file holds, read back; hex. */
  async digest(): Promise<string> {
    const hash = new Blake3Hasher();
    const buffer = Buffer.allocUnsafe(READ_BYTES);
    for (let at = 0; at < this.bytes;) {
      const { bytesRead } = await this.handle.read(buffer, 0, READ_BYTES, at);
      if (bytesRead === 0) throw new Error(`${this.path} ends at ${at}`);
      hash.update(buffer.subarray(0, bytesRead));
      at += bytesRead;
    }
    return hash.digest('hex');
  }

  /** Makes the content durable. */
  async sync(): Promise<void> {
    await this.handle.datasync();
  }

  async close(): Promise<void> {
    await this.handle.close();
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
