import {
  decodeFrameTable,
  frameTableBytes,
  type FrameRecord,
} from '#archive/frames/frame-table.js';
import { seekTableBytes, seekTableBytesFromFooter } from '#archive/frames/seek-table.js';
import { messageOf, PermanentError } from '#kernel/errors.js';
import { STATUS } from '#kernel/status.js';

import type { FallOver } from './fall-over.js';
import type { RestoreFragment, RestoreImage } from './restore-source.js';

/** One frame of a fragment's data with its place. Bytes. */
export interface FramePlace {
  readonly fragment: RestoreFragment;
  readonly index: number;
  readonly storedOffset: number;
  readonly storedBytes: number;
  readonly archiveOffset: number;
  readonly archiveBytes: number;
  /** BLAKE3 of the stored frame. */
  readonly digest: Buffer;
}

/** A frame holds this much of the archive, save the last of a fragment. Where a table is, follows from it. */
const FRAME_ARCHIVE_BYTES = 2 ** 20;
const SEEK_FOOTER_BYTES = 9;
/** Tables kept at a time: those at which the images of a chain stand. About 200 bytes for a frame (1 MiB). */
const TABLES_KEPT_MIN = 4;

/** Finds the frame that holds a byte of an archive, by the tables at the ends of the indexes. */
export class FrameTables {
  readonly #kept = new Map<RestoreFragment, Promise<FramePlace[]>>();

  constructor(
    private readonly chain: readonly RestoreImage[],
    private readonly sources: FallOver,
  ) {}

  /**
   * The frame with this byte of an image's archive; undefined when no fragment has it.
   * @throws PermanentError when the fragment's table is damaged or lost.
   */
  async frameAt(image: number, archiveOffset: number): Promise<FramePlace | undefined> {
    const fragment = this.chain[image]?.fragments.find(
      (one) =>
        archiveOffset >= one.archiveOffset && archiveOffset < one.archiveOffset + one.archiveBytes,
    );
    if (fragment === undefined) return undefined;
    const frames = await this.#table(fragment);
    let low = 0;
    let high = frames.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (frames[middle]!.archiveOffset <= archiveOffset) low = middle;
      else high = middle - 1;
    }
    return frames[low];
  }

  /** Where something else begins, when the byte at this offset is not to be had. */
  endOfGap(image: number, archiveOffset: number): number {
    let end = Number.MAX_SAFE_INTEGER;
    for (const one of this.chain[image]?.fragments ?? []) {
      if (one.archiveOffset > archiveOffset) end = Math.min(end, one.archiveOffset);
      else if (archiveOffset < one.archiveOffset + one.archiveBytes) {
        end = Math.min(end, one.archiveOffset + one.archiveBytes);
      }
    }
    return end;
  }

  #table(fragment: RestoreFragment): Promise<FramePlace[]> {
    const kept = this.#kept.get(fragment);
    if (kept !== undefined) return kept;
    const table = loadTable(this.sources, fragment);
    this.#kept.set(fragment, table);
    const oldest = this.#kept.keys().next().value;
    const keptMax = Math.max(TABLES_KEPT_MIN, this.chain.length + 1);
    if (this.#kept.size > keptMax && oldest !== undefined) this.#kept.delete(oldest);
    return table;
  }
}

async function loadTable(sources: FallOver, fragment: RestoreFragment): Promise<FramePlace[]> {
  try {
    await sources.prepareIndex(fragment);
    const expected = Math.ceil(fragment.archiveBytes / FRAME_ARCHIVE_BYTES);
    const table =
      (await tableOf(sources, fragment, expected)) ??
      (await tableOf(sources, fragment, await framesBySeekTable(sources, fragment)));
    if (table === undefined) throw new TableDamage('it is damaged');
    return placesOf(fragment, table);
  } catch (error) {
    if (!(error instanceof PermanentError) && !(error instanceof TableDamage)) throw error;
    throw new PermanentError(
      STATUS.mediaReadError,
      `the frame table of fragment ${fragment.number} cannot be read: ${messageOf(error)}`,
    );
  }
}

class TableDamage extends Error {
  override readonly name = 'TableDamage';
}

async function tableOf(
  sources: FallOver,
  fragment: RestoreFragment,
  frames: number,
): Promise<FrameRecord[] | undefined> {
  const length = frameTableBytes(frames);
  if (length > fragment.indexBytes) return undefined;
  const offset = fragment.indexBytes - length;
  const bytes = await sources.read(fragment, { object: 'index', offset, length });
  try {
    return decodeFrameTable(bytes);
  } catch {
    return undefined; // Not this many frames, or damaged: the seek table decides.
  }
}

async function framesBySeekTable(sources: FallOver, fragment: RestoreFragment): Promise<number> {
  const length = Math.min(SEEK_FOOTER_BYTES, fragment.storedBytes);
  const offset = fragment.storedBytes - length;
  const footer = await sources.read(fragment, { object: 'data', offset, length });
  try {
    return (
      (seekTableBytesFromFooter(footer) - seekTableBytes(0)) /
      (seekTableBytes(1) - seekTableBytes(0))
    );
  } catch (error) {
    throw new TableDamage(messageOf(error));
  }
}

function placesOf(fragment: RestoreFragment, table: readonly FrameRecord[]): FramePlace[] {
  let storedOffset = 0;
  let { archiveOffset } = fragment;
  const places = table.map((record, index): FramePlace => {
    const place = { fragment, index, storedOffset, archiveOffset, ...record };
    storedOffset += record.storedBytes;
    archiveOffset += record.archiveBytes;
    return place;
  });
  const sound =
    archiveOffset === fragment.archiveOffset + fragment.archiveBytes &&
    storedOffset <= fragment.storedBytes;
  if (!sound) throw new TableDamage('its sizes do not add up to those of the fragment');
  return places;
}
