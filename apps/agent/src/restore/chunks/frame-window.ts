import { decompress } from '#archive/frames/zstd.js';
import { isFrameOf } from '#archive/frames/frame-bound.js';
import { messageOf, PermanentError } from '#kernel/errors.js';
import { freeBytes } from '#kernel/free-bytes.js';
import { STATUS } from '#kernel/status.js';
import type { NamedChunk } from '#transfer/chunk-messages.js';
import type { SentFrame } from '#transfer/fragment-reader-client.js';

/** A chunk in a frame that is there, or is being unpacked. `letGo` of the frame when it was copied. */
export interface FoundChunk {
  readonly frame: OpenFrame;
  readonly offset: number;
  readonly length: number;
}

/** A frame of chunks, unpacked on Node's pool. */
class OpenFrame {
  readonly bytes: Promise<Buffer>;
  readonly size: number;
  private users = 1;

  constructor(readonly sent: SentFrame) {
    this.size = sent.chunks.reduce((sum, { length }) => sum + length, 0);
    this.bytes = unpack(sent.stored, this.size);
    this.bytes.catch(() => undefined); // It is awaited by those who need it.
  }

  hold(): void {
    this.users += 1;
  }

  letGo(): void {
    this.users -= 1;
    if (this.users === 0) this.bytes.then(freeBytes, () => undefined);
  }
}

/** The frames of chunks that came last. */
export class FrameWindow {
  private readonly frames: OpenFrame[] = [];
  private readonly chunks = new Map<string, FoundChunk>();
  private keptBytes = 0;

  /** @param keptBytesMax what the frames that are kept may hold, but for the last one */
  constructor(private readonly keptBytesMax: number) {}

  /** A chunk that is there; its frame is held for the caller. */
  find({ id, length }: NamedChunk): FoundChunk | undefined {
    const found = this.chunks.get(keyOf(id));
    if (found?.length !== length) return undefined;
    found.frame.hold();
    return found;
  }

  /** Takes a frame that came, and begins to unpack it. */
  add(sent: SentFrame): void {
    const frame = new OpenFrame(sent);
    let offset = 0;
    for (const { id, length } of sent.chunks) {
      this.chunks.set(keyOf(id), { frame, offset, length });
      offset += length;
    }
    this.frames.push(frame);
    this.keptBytes += frame.size;
    while (this.keptBytes > this.keptBytesMax && this.frames.length > 1) this.drop(this.frames[0]!);
    // Whoever asks for it again gets another one.
    frame.bytes.catch(() => this.drop(frame));
  }

  private drop(frame: OpenFrame): void {
    const at = this.frames.indexOf(frame);
    if (at < 0) return;
    this.frames.splice(at, 1);
    this.keptBytes -= frame.size;
    for (const { id } of frame.sent.chunks) {
      const key = keyOf(id);
      if (this.chunks.get(key)?.frame === frame) this.chunks.delete(key);
    }
    frame.letGo();
  }
}

/** Throws `PermanentError` for what is not one frame of so many bytes. */
async function unpack(stored: Buffer, size: number): Promise<Buffer> {
  if (!isFrameOf(stored, size)) throw wrong('is none');
  let bytes: Buffer;
  try {
    bytes = await decompress(stored);
  } catch (error) {
    throw wrong(`cannot be decompressed: ${messageOf(error)}`);
  }
  freeBytes(stored);
  if (bytes.length !== size) throw wrong(`holds ${bytes.length} bytes, not ${size}`);
  return bytes;
}

function wrong(what: string): PermanentError {
  return new PermanentError(STATUS.mediaReadError, `a frame of chunks ${what}`);
}

function keyOf(id: Buffer): string {
  return id.toString('latin1');
}
