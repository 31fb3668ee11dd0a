import { blake3 } from '#kernel/blake3.js';
import type { FrameRecord } from '#archive/frames/frame-table.js';
import { FragmentDamaged, FragmentUnreadable } from '#storage/errors.js';
import { AnySource, type AnySourceOptions } from '../duplication/any-source.js';
import type { NumberSources } from '../duplication/duplicate-run.js';
import { readRange } from '../duplication/normal-copy.js';
import { ImageDamaged } from './image-damaged.js';
import { indexTexts, readFrameTable } from './fragment-index.js';

/** One frame of an image's archive, with its place. Bytes. */
export interface FramePlace extends FrameRecord {
  readonly number: number;
  /** Which frame of its fragment, from 0. */
  readonly index: number;
  readonly storedOffset: number;
  readonly archiveOffset: number;
}

/** Lines of an index, with the number of their fragment. */
export interface IndexText {
  readonly number: number;
  readonly text: string;
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

  /** The index, text by text of whole lines. Of a fragment none is given before all of it has been checked. */
  async *index(): AsyncGenerator<IndexText, void, undefined> {
    const { imageId } = this;
    for (const fragment of this.fragments) {
      const { number, sources } = fragment;
      const from = this.of(fragment).from;
      for await (const text of indexTexts(from, sources[0]!, { imageId, number })) {
        yield { number, text };
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

  /** Never throws. */
  async close(): Promise<void> {
    await this.current?.from.close();
    this.current = undefined;
  }

  /** What is wrong with its archive at this byte, in all copies. */
  damagedAt(archiveOffset: number, reason: string): ImageDamaged {
    const { imageId } = this;
    return new ImageDamaged({ imageId, number: this.fragmentAt(archiveOffset)?.number }, reason);
  }

  private async placesAround(archiveOffset: number): Promise<readonly FramePlace[]> {
    const fragment = this.fragmentAt(archiveOffset);
    if (!fragment)
      throw this.damagedAt(archiveOffset, 'an entry lies behind the end of its archive');
    if (this.frames?.number === fragment.number) return this.frames.places;
    const table = await this.of(fragment).from(readFrameTable);
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

  private fragmentAt(archiveOffset: number): ChainFragment | undefined {
    return this.fragments.find((one) => archiveOffset < one.archiveOffset + one.archiveBytes);
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
