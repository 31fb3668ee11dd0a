import { PaxReader } from '#archive/pax-reader.js';

import { UnpackedFrame } from './unpack.js';

/** Where the bytes of an entry come from. */
export interface ByteSource {
  /** The frame with this byte of the archive; undefined if it has not come yet. */
  frameAt(offset: number): UnpackedFrame | undefined;
  /** A reader that stands at this place of the archive. */
  readerAt(offset: number): PaxReader;
  /** Keeps a reader that has come to the end of an entry, for the one that follows. */
  keepReader(reader: PaxReader, offset: number): void;
}

/** The frames of one image as they come, each dropped once the entries have passed it, and counted when it is gone. */
export class ImageFeed implements ByteSource {
  readonly #frames: UnpackedFrame[] = [];
  #passed = 0;
  #released = 0;
  #ended = false;
  #reader: { reader: PaxReader; offset: number } | undefined;

  push(frame: UnpackedFrame): void {
    this.#frames.push(frame);
    this.#drop();
  }

  /** Nothing more will come: what is missing from now on is damaged. */
  end(): void {
    this.#ended = true;
  }

  /** No byte before this one will be asked for again. */
  pass(offset: number): void {
    this.#passed = Math.max(this.#passed, offset);
    this.#drop();
  }

  frameAt(offset: number): UnpackedFrame | undefined {
    this.pass(offset);
    const frame = this.#frames[0];
    if (frame !== undefined && frame.archiveOffset <= offset) return frame;
    if (frame === undefined && !this.#ended) return undefined;
    const damage = 'its part of the archive is missing';
    return new UnpackedFrame({ archiveOffset: offset, archiveBytes: 1, damage });
  }

  readerAt(offset: number): PaxReader {
    const kept = this.#reader;
    this.#reader = undefined;
    return kept?.offset === offset ? kept.reader : new PaxReader(offset);
  }

  keepReader(reader: PaxReader, offset: number): void {
    this.#reader = { reader, offset };
  }

  /** How many frames are gone since the last call. */
  takeReleased(): number {
    const released = this.#released;
    this.#released = 0;
    return released;
  }

  #drop(): void {
    for (let first = this.#frames[0]; first !== undefined; first = this.#frames[0]) {
      if (first.archiveOffset + first.archiveBytes > this.#passed) return;
      this.#frames.shift();
      first.free();
      this.#released += 1;
    }
  }
}

/** Frames kept for links whose data lies elsewhere: neighbours in the tree often share a frame. 16 MiB. */
const EXTRA_FRAMES_MAX = 16;

/** Frames that were fetched out of order, the last few of each image. */
export class ExtraFrames {
  readonly #frames: { image: number; frame: UnpackedFrame }[] = [];

  push(image: number, frame: UnpackedFrame): void {
    this.#frames.push({ image, frame });
    if (this.#frames.length > EXTRA_FRAMES_MAX) this.#frames.shift()?.frame.free();
  }

  /** The frames of one image; what is missing is asked for with `fetch`, once. */
  of(image: number, fetch: (offset: number) => void): ByteSource {
    let asked = -1;
    return {
      frameAt: (offset) => {
        const found = this.#frames.findLast(
          (one) =>
            one.image === image &&
            offset >= one.frame.archiveOffset &&
            offset < one.frame.archiveOffset + one.frame.archiveBytes,
        );
        if (found === undefined && asked !== offset) {
          asked = offset;
          fetch(offset);
        }
        return found?.frame;
      },
      readerAt: (offset) => new PaxReader(offset),
      keepReader: () => undefined,
    };
  }
}
