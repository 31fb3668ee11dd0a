import { decompress } from '@mongodb-js/zstd';
import { blake3 } from '@napi-rs/blake-hash';

import { messageOf, PermanentError } from '#kernel/errors.js';

import type { FallOver } from './fall-over.js';
import type { FramePlace } from './frame-tables.js';
import type { FragmentSource } from './restore-source.js';

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
 * them (on Node's pool, several at a time). What one source has lost comes from another. A frame that none of them has comes
 * as a damaged one. @throws what ends the restore
 */
export async function loadFrames(
  sources: FallOver,
  run: readonly FramePlace[],
  imageId: string,
): Promise<LoadedFrame[]> {
  const fragment = run[0]?.fragment;
  if (fragment === undefined) return [];
  const sound = new Map<FramePlace, LoadedFrame>();
  const reasons = new Map<FramePlace, string>();
  try {
    await sources.fromBest(fragment, 'data', async (source) => {
      const missing = run.filter((place) => !sound.has(place));
      const loaded = await loadFrom(sources, source, missing);
      for (const [place, frame] of loaded) {
        if (typeof frame === 'string') reasons.set(place, frame);
        else sound.set(place, frame);
      }
      const wrong = missing.find((place) => !sound.has(place));
      if (wrong === undefined) return;
      throw new PermanentError(85, `frame ${wrong.index + 1}: ${reasons.get(wrong)}`);
    });
  } catch (error) {
    if (!(error instanceof PermanentError)) throw error;
    const why = messageOf(error);
    return run.map((one) => sound.get(one) ?? damaged(one, imageId, reasons.get(one) ?? why));
  }
  return run.map((one) => sound.get(one)!);
}

/** What one source gives of frames of one fragment, in one read: each frame, or what is wrong with it. */
async function loadFrom(
  sources: FallOver,
  source: FragmentSource,
  places: readonly FramePlace[],
): Promise<[FramePlace, LoadedFrame | string][]> {
  const last = places.at(-1)!;
  const offset = places[0]!.storedOffset;
  const length = last.storedOffset + last.storedBytes - offset;
  const stored = await sources.readFrom(source, { object: 'data', offset, length });
  return Promise.all(
    places.map(async (place): Promise<[FramePlace, LoadedFrame | string]> => {
      const at = place.storedOffset - offset;
      return [place, await unpack(stored.subarray(at, at + place.storedBytes), place)];
    }),
  );
}

async function unpack(stored: Buffer, place: FramePlace): Promise<LoadedFrame | string> {
  if (!blake3(stored).equals(place.digest)) {
    return 'its digest is not the one that was recorded';
  }
  if (place.archiveBytes > FRAME_CONTENT_BYTES_MAX) return 'it states an impossible size';
  try {
    const bytes = await decompress(stored);
    if (bytes.length !== place.archiveBytes) {
      return `it holds ${bytes.length} bytes, not ${place.archiveBytes}`;
    }
    const whole = bytes.buffer as ArrayBuffer;
    const { archiveOffset, archiveBytes } = place;
    const alone =
      whole.byteLength === bytes.length ? new Uint8Array(whole) : Uint8Array.from(bytes);
    return { archiveOffset, archiveBytes, bytes: alone };
  } catch (error) {
    return messageOf(error);
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
