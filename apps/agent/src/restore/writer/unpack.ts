import { isFrameOf } from '#archive/frames/frame-bound.js';
import { decompress } from '#archive/frames/zstd.js';
import { rawContent } from '#archive/frames/raw-frame.js';
import { messageOf } from '#kernel/errors.js';
import { freeBytes } from '#kernel/free-bytes.js';
import type { LoadedFrame } from '../frame-loader.js';

/** A piece of an archive, or the reason why it is not to be had. */
interface FramePart {
  readonly archiveOffset: number;
  readonly archiveBytes: number;
  readonly bytes?: Uint8Array;
  /** What is wrong, as a clause for a note. */
  readonly damage?: string;
}

/** Such a piece, in memory that is given back by hand. */
export class UnpackedFrame {
  readonly archiveOffset: number;
  readonly archiveBytes: number;
  readonly bytes: Uint8Array | undefined;
  readonly damage: string | undefined;

  /** @param free nobody looks at its bytes any more */
  constructor(
    { archiveOffset, archiveBytes, bytes, damage }: FramePart,
    readonly free: () => void = () => undefined,
  ) {
    this.archiveOffset = archiveOffset;
    this.archiveBytes = archiveBytes;
    this.bytes = bytes;
    this.damage = damage;
  }
}

/**
 * Unpacks frames (on Node's pool) whose digests are right: what is wrong with one now is wrong in every copy.
 * Done where they are written, so that what is unpacked never changes threads. The memory in which frames came
 * is given back when the last of them needs it no more. @returns one promise for each, none of which is rejected
 */
export function unpackAll(frames: readonly LoadedFrame[]): Promise<UnpackedFrame>[] {
  const users = new Map<ArrayBuffer, number>();
  const change = ({ buffer }: Uint8Array<ArrayBuffer>, by: number): number => {
    const count = (users.get(buffer) ?? 0) + by;
    users.set(buffer, count);
    return count;
  };
  for (const { stored, content } of frames) {
    const bytes = stored ?? content;
    if (bytes) change(bytes, 1);
  }
  const release = (bytes: Uint8Array<ArrayBuffer>) => {
    if (change(bytes, -1) === 0) freeBytes(bytes);
  };
  return frames.map((frame) => unpack(frame, release));
}

async function unpack(
  frame: LoadedFrame,
  release: (stored: Uint8Array<ArrayBuffer>) => void,
): Promise<UnpackedFrame> {
  const { archiveOffset, archiveBytes, name, stored, content, damage } = frame;
  const part = { archiveOffset, archiveBytes };
  if (content) return new UnpackedFrame({ ...part, bytes: content }, () => release(content));
  if (stored === undefined)
    return new UnpackedFrame({ ...part, ...(damage !== undefined && { damage }) });
  // A Buffer becomes a plain array on its way through a thread's port.
  const packed = Buffer.from(stored.buffer, stored.byteOffset, stored.length);
  const raw = rawContent(packed);
  if (raw?.length === archiveBytes)
    return new UnpackedFrame({ ...part, bytes: raw }, () => release(stored));
  const damaged = (why: string) =>
    new UnpackedFrame({ ...part, damage: `${name} is damaged: ${why}` });
  try {
    // Before it is unpacked: a few bytes can come to gigabytes, and the agent would die of them.
    if (!raw && !isFrameOf(packed, archiveBytes)) {
      return damaged(`it is no frame of ${archiveBytes} bytes`);
    }
    const bytes = raw ?? (await decompress(packed));
    if (bytes.length === archiveBytes)
      return new UnpackedFrame({ ...part, bytes }, () => freeBytes(bytes));
    return damaged(`it holds ${bytes.length} bytes, not ${archiveBytes}`);
  } catch (error) {
    return damaged(messageOf(error));
  } finally {
    release(stored);
  }
}
