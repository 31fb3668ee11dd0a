import { open, type FileHandle } from 'node:fs/promises';

/** A new file that only grows. It counts its bytes and writes pieces without joining them. */
export class AppendFile {
  bytes = 0;

  private constructor(
    readonly path: string,
    private readonly handle: FileHandle,
  ) {}

  /** Throws EEXIST if there is a file under that name. */
  static async create(path: string): Promise<AppendFile> {
    return new AppendFile(path, await open(path, 'wx', 0o600));
  }

  async append(pieces: readonly Buffer[]): Promise<void> {
    let rest = pieces.filter((piece) => piece.length > 0);
    while (rest.length > 0) {
      const { bytesWritten } = await this.handle.writev(rest, this.bytes);
      this.bytes += bytesWritten;
      rest = behind(rest, bytesWritten);
    }
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
