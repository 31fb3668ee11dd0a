import { decompress } from '@mongodb-js/zstd';
import { blake3 } from '@napi-rs/blake-hash';

import { messageOf, PermanentError } from '#kernel/errors.js';

import type { FramePlace } from './frame-tables.js';
import { readRange, type FragmentReader } from './restore-source.js';

/** A piece of an archive, or the reason why it is not to be had. */
export interface LoadedFrame {
  readonly archiveOffset: number;
  readonly archiveBytes: number;
  /** Alone in its ArrayBuffer, so that it can change threads without a copy. */
  readonly bytes?: Uint8Array;
  /** What is wrong, as a clause for a note. */
  readonly damage?: string;
}

/** A frame may state this much content; ours hold 1 MiB. */
const FRAME_CONTENT_BYTES_MAX = 16 * 2 ** 20;

/**
 * Reads a run of neighbouring frames of one fragment with one request, checks each frame's digest, and unpacks
 * them (on Node's pool, several at a time). A damaged frame comes as such. @throws what the reader throws, unless it is a
 * `PermanentError`: then all frames of the run count as damaged.
 */
export async function loadFrames(
  source: FragmentReader,
  run: readonly FramePlace[],
  imageId: string,
): Promise<LoadedFrame[]> {
  const first = run[0];
  const last = run.at(-1);
  if (first === undefined || last === undefined) return [];
  const offset = first.storedOffset;
  const length = last.storedOffset + last.storedBytes - offset;
  const { fragmentId } = first.fragment;
  let stored: Buffer;
  try {
    stored = await readRange(source, { fragmentId, object: 'data', offset, length });
  } catch (error) {
    if (!(error instanceof PermanentError)) throw error;
    return run.map((place) => damaged(place, imageId, messageOf(error)));
  }
  return Promise.all(
    run.map((place) => {
      const at = place.storedOffset - offset;
      return unpack(stored.subarray(at, at + place.storedBytes), place, imageId);
    }),
  );
}

async function unpack(stored: Buffer, place: FramePlace, imageId: string): Promise<LoadedFrame> {
  if (!blake3(stored).equals(place.digest)) {
    return damaged(place, imageId, 'its digest is not the one that was recorded');
  }
  if (place.archiveBytes > FRAME_CONTENT_BYTES_MAX) {
    return damaged(place, imageId, 'it states an impossible size');
  }
  try {
    const bytes = await decompress(stored);
    if (bytes.length !== place.archiveBytes) {
      return damaged(place, imageId, `it holds ${bytes.length} bytes, not ${place.archiveBytes}`);
    }
    const whole = bytes.buffer as ArrayBuffer;
    const { archiveOffset, archiveBytes } = place;
    const alone =
      whole.byteLength === bytes.length ? new Uint8Array(whole) : Uint8Array.from(bytes);
    return { archiveOffset, archiveBytes, bytes: alone };
  } catch (error) {
    return damaged(place, imageId, messageOf(error));
  }
}

function damaged(place: FramePlace, imageId: string, reason: string): LoadedFrame {
  const { archiveOffset, archiveBytes, fragment, index } = place;
  return {
    archiveOffset,
    archiveBytes,
    damage: `frame ${index + 1} of fragment ${fragment.number} of image ${imageId} is damaged: ${reason}`,
  };
}
