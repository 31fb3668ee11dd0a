import { decompress } from '@mongodb-js/zstd';
import { rawContent } from '#archive/frames/raw-frame.js';
import { messageOf } from '#kernel/errors.js';
import type { LoadedFrame } from '../frame-loader.js';

/** A piece of an archive, or the reason why it is not to be had. */
export interface UnpackedFrame {
  readonly archiveOffset: number;
  readonly archiveBytes: number;
  readonly bytes?: Uint8Array;
  /** What is wrong, as a clause for a note. */
  readonly damage?: string;
}

/**
 * Unpacks a frame (on Node's pool) whose digest is right: what is wrong with it now is wrong in every copy.
 * Done where it is written, so that what is unpacked never changes threads. Uses up what was stored.
 */
export async function unpack(frame: LoadedFrame): Promise<UnpackedFrame> {
  const { archiveOffset, archiveBytes, name, stored, damage } = frame;
  const part = { archiveOffset, archiveBytes };
  if (stored === undefined) return { ...part, ...(damage !== undefined && { damage }) };
  try {
    const bytes = await contentOf(stored);
    if (bytes.length === archiveBytes) return { ...part, bytes };
    const wrong = `it holds ${bytes.length} bytes, not ${archiveBytes}`;
    return { ...part, damage: `${name} is damaged: ${wrong}` };
  } catch (error) {
    return { ...part, damage: `${name} is damaged: ${messageOf(error)}` };
  }
}

async function contentOf(stored: Uint8Array<ArrayBuffer>): Promise<Buffer> {
  // A Buffer becomes a plain array on its way through a thread's port.
  const frame = Buffer.from(stored.buffer, stored.byteOffset, stored.length);
  return rawContent(frame) ?? (await decompress(frame));
}
