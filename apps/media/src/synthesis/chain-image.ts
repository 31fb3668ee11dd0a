import { blake3, Blake3Hasher } from '@napi-rs/blake-hash';
import { decompress } from '#archive/frames/zstd.js';
import { frameTableBytes, type FrameRecord } from '#archive/frames/frame-table.js';
import { INDEX_FRAME_BYTES_MAX } from '#archive/index-line.js';
import { zstdFrameAt } from '#archive/frames/zstd-frame-end.js';
import { messageOf } from '#kernel/errors.js';
import { FragmentDamaged, FragmentUnreadable } from '#storage/errors.js';
import { AnySource, type AnySourceOptions } from '../duplication/any-source.js';
import type { NumberSources } from '../duplication/duplicate-run.js';
import type { FragmentSource } from '../duplication/fragment-source.js';
import { readRange, tableOf } from '../duplication/normal-copy.js';

/** A piece of index that is asked for at once. */
const INDEX_PIECE_BYTES = 1024 * 1024;

/** One frame of an image's archive, with its place. Bytes. */
export interface FramePlace extends FrameRecord {
  readonly number: number;
  /** Which frame of its fragment, from 0. */
  readonly index: number;
  readonly storedOffset: number;
  readonly archiveOffset: number;
}

/** One number of an image that is read. */
interface ChainFragment extends NumberSources {
  readonly archiveOffset: number;
  readonly archiveBytes: number;
}

/**
 * One image of a chain for reading: each of its numbers from whichever copy can give it, whole or not at all.
 * What no copy can give is thrown (`sourceFault`): nothing is ever passed over.
 */
export class ChainImage {
  readonly fragments: readonly ChainFragment[];
  /** Bytes of its archive. */
  readonly archiveBytes: number;
  private current: { readonly fragment: ChainFragment; readonly from: AnySource } | undefined;
  private frames: { readonly number: number; readonly places: readonly FramePlace[] } | undefined;

  constructor(
    readonly imageId: string,
    numbers: readonly NumberSources[],
    private readonly sources: Omit<AnySourceOptions, 'views'> & {
      readable(views: NumberSources['sources']): NumberSources['sources'];
    },
  ) {
    let archiveOffset = 0;
    this.fragments = numbers.map(({ number, sources: views }, index) => {
      const [view] = views;
      if (number !== index + 1 || !view || view.archiveOffset !== archiveOffset) {
        throw new FragmentUnreadable(`number ${index + 1} of ${imageId}`, 'is whole in no copy');
      }
      archiveOffset += view.archiveBytes;
      const { archiveBytes } = view;
      return { number, sources: views, archiveOffset: view.archiveOffset, archiveBytes };
    });
    this.archiveBytes = archiveOffset;
  }

  /** The index, text by text of whole lines, checked as a whole before its end is given. */
  async *index(): AsyncGenerator<string, void, undefined> {
    for (const fragment of this.fragments) {
      const index = await this.of(fragment).from(readWholeIndex);
      for (let at = 0; ;) {
        const frame = zstdFrameAt(index, at);
        if (frame === undefined || frame.skippable) break;
        yield (await decompress(index.subarray(at, at + frame.bytes))).toString('latin1');
        at += frame.bytes;
      }
    }
  }

  /** The frame that holds this byte of the archive. */
  async frameAt(archiveOffset: number): Promise<FramePlace> {
    const places = await this.placesAround(archiveOffset);
    let low = 0;
    let high = places.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (places[middle]!.archiveOffset <= archiveOffset) low = middle;
      else high = middle - 1;
    }
    return places[low]!;
  }

  /** The frame behind one, in the same fragment. */
  nextTo({ number, index }: FramePlace): FramePlace | undefined {
    return this.frames?.number === number ? this.frames.places[index + 1] : undefined;
  }

  /** A frame as it is stored, as it was committed. */
  stored(place: FramePlace): Promise<Buffer> {
    const { storedOffset: offset, storedBytes: length, digest, number } = place;
    return this.of(this.fragments[number - 1]!).from(async (source) => {
      const bytes = await readRange(source, { object: 'data', offset, length });
      if (blake3(bytes).equals(digest)) return bytes;
      throw new FragmentDamaged(source.view.fragmentId, `has another frame at byte ${offset}`);
    });
  }

  async close(): Promise<void> {
    await this.current?.from.close();
    this.current = undefined;
  }

  private async placesAround(archiveOffset: number): Promise<readonly FramePlace[]> {
    const fragment = this.fragments.find(
      (one) => archiveOffset < one.archiveOffset + one.archiveBytes,
    );
    if (fragment === undefined) throw beyond(this.imageId, archiveOffset);
    if (this.frames?.number === fragment.number) return this.frames.places;
    const table = await this.of(fragment).from((source) => readTable(source));
    let storedOffset = 0;
    let at = fragment.archiveOffset;
    const { number } = fragment;
    const places = table.map((record, index) => {
      const place = { ...record, number, index, storedOffset, archiveOffset: at };
      storedOffset += record.storedBytes;
      at += record.archiveBytes;
      return place;
    });
    this.frames = { number, places };
    return places;
  }

  /** One fragment is open at a time: the archive is read from its beginning to its end. */
  private of(fragment: ChainFragment): AnySource {
    if (this.current?.fragment === fragment) return this.current.from;
    void this.current?.from.close();
    const views = this.sources.readable(fragment.sources);
    if (views.length === 0) {
      const where = fragment.sources.map(({ mediaId }) => mediaId).join(', ');
      const what = `number ${fragment.number} of ${this.imageId}`;
      throw new FragmentUnreadable(what, `lies on ${where}, which this job cannot read from`);
    }
    const from = new AnySource({ ...this.sources, views });
    this.current = { fragment, from };
    return from;
  }
}

/** The index with its frame table, of the digest that was committed. */
async function readWholeIndex(source: FragmentSource): Promise<Buffer> {
  const { indexBytes, indexDigest, fragmentId } = source.manifest;
  const pieces: Buffer[] = [];
  const hash = new Blake3Hasher();
  for (let offset = 0; offset < indexBytes; offset += INDEX_PIECE_BYTES) {
    const length = Math.min(INDEX_PIECE_BYTES, indexBytes - offset);
    const piece = await readRange(source, { object: 'index', offset, length });
    hash.update(piece);
    pieces.push(piece);
  }
  if (hash.digest('hex') !== indexDigest) {
    throw new FragmentDamaged(fragmentId, 'has an index with another digest than was committed');
  }
  return checkedFrames(fragmentId, Buffer.concat(pieces));
}

/** Whatever its digest says: nothing here is unpacked that states an impossible size. */
function checkedFrames(fragmentId: string, index: Buffer): Buffer {
  try {
    for (let at = 0; at < index.length;) {
      const frame = zstdFrameAt(index, at);
      if (frame === undefined) break;
      if ((frame.contentBytes ?? 0) > INDEX_FRAME_BYTES_MAX)
        throw new Error('a frame is too large');
      at += frame.bytes;
    }
    return index;
  } catch (error) {
    throw new FragmentDamaged(fragmentId, `has an index that is none: ${messageOf(error)}`);
  }
}

async function readTable(source: FragmentSource): Promise<FrameRecord[]> {
  const { indexBytes, frames, archiveBytes, fragmentId } = source.manifest;
  const length = frameTableBytes(frames);
  const pieces: Buffer[] = [];
  for (let offset = indexBytes - length; offset < indexBytes; offset += INDEX_PIECE_BYTES) {
    const bytes = Math.min(INDEX_PIECE_BYTES, indexBytes - offset);
    pieces.push(await readRange(source, { object: 'index', offset, length: bytes }));
  }
  const table = tableOf(fragmentId, Buffer.concat(pieces));
  const sum = table.reduce((bytes, frame) => bytes + frame.archiveBytes, 0);
  if (sum === archiveBytes) return table;
  throw new FragmentDamaged(fragmentId, 'has a frame table that is not that of its data');
}

function beyond(imageId: string, archiveOffset: number): FragmentUnreadable {
  return new FragmentUnreadable(imageId, `has no byte ${archiveOffset} in its archive`);
}
