import { createWriteStream, mkdirSync, writeFileSync, type WriteStream } from 'node:fs';
import { once } from 'node:events';
import { finished } from 'node:stream/promises';

import { encodeSeekTable, type FrameSize } from '#archive/frames/seek-table.js';
import { blake3 } from '#kernel/blake3.js';

import type {
  DataFrame,
  DigestedBytes,
  FragmentSeal,
  FragmentSink,
  ImageTotals,
} from '../fragment-sink.js';

/** A sink for tests: writes data and index of each fragment to a folder, as docs/formats.md has them. */
export class FolderSink implements FragmentSink {
  readonly seals: FragmentSeal[] = [];
  totals: ImageTotals | undefined;
  #open: { data: WriteStream; index: WriteStream; frames: FrameSize[] } | undefined;
  #number: number;

  /** @param begun fragments that an earlier sink has left there */
  constructor(
    readonly folder: string,
    readonly fragmentBytesMax = 1024 ** 3,
    begun = 0,
  ) {
    mkdirSync(folder, { recursive: true });
    this.#number = begun;
  }

  async frame({ archiveLength, pieces, digest, gone }: DataFrame): Promise<void> {
    const bytes = Buffer.concat(pieces as Buffer<ArrayBuffer>[]);
    gone();
    if (!blake3(bytes).equals(digest)) throw new Error('The digest of a frame is wrong');
    const fragment = this.#fragment();
    fragment.frames.push({ storedBytes: bytes.length, archiveBytes: archiveLength });
    await write(fragment.data, bytes);
  }

  async index({ bytes, digest }: DigestedBytes): Promise<void> {
    if (!blake3(bytes).equals(digest)) throw new Error('The digest of an index block is wrong');
    await write(this.#fragment().index, bytes);
  }

  async seal(seal: FragmentSeal): Promise<void> {
    const fragment = this.#fragment();
    this.#open = undefined;
    this.seals.push(seal);
    fragment.data.end(encodeSeekTable(fragment.frames));
    fragment.index.end();
    await Promise.all([finished(fragment.data), finished(fragment.index)]);
    if (fragment.data.bytesWritten > this.fragmentBytesMax) throw new Error('Too large a fragment');
    writeFileSync(`${this.#base(seal.number)}.json`, JSON.stringify(seal));
  }

  finish(totals: ImageTotals): Promise<void> {
    this.totals = totals;
    return Promise.resolve();
  }

  #fragment() {
    this.#open ??= this.#begin();
    return this.#open;
  }

  #begin() {
    const base = this.#base(++this.#number);
    const data = createWriteStream(`${base}.tar.zst`);
    return { data, index: createWriteStream(`${base}.idx.zst`), frames: [] };
  }

  #base(number: number): string {
    return `${this.folder}/${String(number).padStart(5, '0')}`;
  }
}

async function write(stream: WriteStream, bytes: Buffer): Promise<void> {
  if (!stream.write(bytes)) await once(stream, 'drain');
}
