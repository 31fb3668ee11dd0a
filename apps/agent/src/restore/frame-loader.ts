import { blake3 } from '#kernel/blake3.js';
import { rawFrameBytes, rawFramePieces } from '#archive/frames/raw-frame.js';
import { messageOf, PermanentError } from '#kernel/errors.js';
import { STATUS } from '#kernel/status.js';

import type { FallOver } from './fall-over.js';
import type { FramePlace } from './frame-tables.js';
import type { FragmentSource } from './restore-source.js';

/** A piece of an archive, or the reason why it is not to be had. */
export interface LoadedFrame {
  readonly archiveOffset: number;
  readonly archiveBytes: number;
  /** For notes. */
  readonly name?: string;
  /** The frame as it is stored, with the digest that was recorded. */
  readonly stored?: Uint8Array<ArrayBuffer>;
  /** In its place, for one that is not stored: what it holds. */
  readonly content?: Uint8Array<ArrayBuffer>;
  /** What is wrong, as a clause for a note. */
  readonly damage?: string;
}

/** A frame may state this much content; ours hold 1 MiB. */
const FRAME_CONTENT_BYTES_MAX = 16 * 2 ** 20;

/**
 * Reads a run of neighbouring frames of one fragment with one request, and checks each frame's digest.
 * What one source has lost comes from another. A frame that none of them has comes
 * as a damaged one. The frames of one run share memory, and nobody else does. @throws what ends the restore
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
      for (const [place, frame] of await loadFrom(sources, source, missing, imageId)) {
        if (typeof frame === 'string') reasons.set(place, frame);
        else sound.set(place, frame);
      }
      const wrong = missing.find((place) => !sound.has(place));
      if (wrong === undefined) return;
      throw new PermanentError(
        STATUS.mediaReadError,
        `frame ${wrong.index + 1}: ${reasons.get(wrong)}`,
      );
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
  imageId: string,
): Promise<[FramePlace, LoadedFrame | string][]> {
  const archive = places.every(isRaw) ? await archiveOf(sources, source, places) : undefined;
  if (archive) {
    const begin = places[0]!.archiveOffset;
    return places.map((place) => {
      const at = place.archiveOffset - begin;
      const content = archive.subarray(at, at + place.archiveBytes);
      const reason = blame(rawFramePieces(content), place);
      return [place, reason ?? { ...partOf(place, imageId), content }];
    });
  }
  const last = places.at(-1)!;
  const offset = places[0]!.storedOffset;
  const length = last.storedOffset + last.storedBytes - offset;
  const whole = await sources.readFrom(source, { object: 'data', offset, length });
  return places.map((place) => {
    const at = place.storedOffset - offset;
    const stored = whole.subarray(at, at + place.storedBytes);
    return [place, blame([stored], place) ?? { ...partOf(place, imageId), stored }];
  });
}

/** Only such frames can be made of chunks. */
function isRaw({ storedBytes, archiveBytes }: FramePlace): boolean {
  return storedBytes === rawFrameBytes(archiveBytes);
}

function archiveOf(
  sources: FallOver,
  source: FragmentSource,
  places: readonly FramePlace[],
): Promise<Buffer<ArrayBuffer> | undefined> {
  const begin = places[0]!.archiveOffset;
  const last = places.at(-1)!;
  const length = last.archiveOffset + last.archiveBytes - begin;
  return sources.archiveFrom(source, { offset: begin - places[0]!.fragment.archiveOffset, length });
}

/** What is wrong with a frame, if something is. */
function blame(
  pieces: readonly Buffer<ArrayBuffer>[],
  { digest, archiveBytes }: FramePlace,
): string | undefined {
  if (!blake3(pieces).equals(digest)) return 'its digest is not the one that was recorded';
  return archiveBytes > FRAME_CONTENT_BYTES_MAX ? 'it states an impossible size' : undefined;
}

function partOf(
  { archiveOffset, archiveBytes, fragment, index }: FramePlace,
  imageId: string,
): { archiveOffset: number; archiveBytes: number; name: string } {
  const name = `frame ${index + 1} of fragment ${fragment.number} of image ${imageId}`;
  return { archiveOffset, archiveBytes, name };
}

function damaged(place: FramePlace, imageId: string, reason: string): LoadedFrame {
  const part = partOf(place, imageId);
  return { ...part, damage: `${part.name} is damaged: ${reason}` };
}
