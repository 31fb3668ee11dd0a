import { writeByteText, writeZeros } from '#archive/byte-text.js';
import { INDEX_FRAME_BYTES_MAX } from '#archive/index-line.js';
import type { ByteString } from '#archive/path-text.js';
import type { PaxWriter } from '#archive/pax-writer.js';
import { ARCHIVE_END_BYTES, TAR_BLOCK_BYTES } from '#archive/tar-block.js';

import { copyBytes } from '#kernel/copy-bytes.js';
import type { RingFiller } from '../buffer-ring.js';
import type { ReaderChunking, ReaderMessage } from '../reader-messages.js';
import { entryLeft, type OpenEntry, type ReaderState } from '../reader-state.js';
import { ChunkedFrames } from './chunked-frames.js';
import { FrameRoom } from './frame-room.js';

/** Texts go on their own before they reach this, so that they fit into one index frame. */
const TEXT_BYTES_MAX = INDEX_FRAME_BYTES_MAX - 64 * 1024;
const NOTHING: BytesAtHand = { buffer: Buffer.alloc(0), length: 0 };

/** The first `length` bytes of a buffer. */
export interface BytesAtHand {
  readonly buffer: Buffer;
  length: number;
}

/** What the rest of the reading thread has to say at the end of a buffer. */
export type ReaderTally = Pick<ReaderState, 'listingBytes' | 'files' | 'bytes' | 'notes'> & {
  /** See `HardLinks.takeJournal`. */
  readonly links: ByteString;
};

/** The archive and index as the reading thread writes them, buffer by buffer. */
export class ArchiveOutput {
  /** Archive bytes written so far. */
  position = 0;

  #slot = -1;
  readonly #frame: FrameRoom;
  readonly #chunked: ChunkedFrames | undefined;
  #pending: ByteString = '';
  #entry: OpenEntry | undefined;
  /** What is at hand behind the bytes in the buffer: the rest of what is being written, and what follows it. */
  #writing = NOTHING.buffer;
  #writtenTo = 0;
  #writingEnd = 0;
  #following = NOTHING;
  #made: SharedArrayBuffer | undefined;
  readonly #text = Buffer.allocUnsafeSlow(INDEX_FRAME_BYTES_MAX);
  #textUsed = 0;
  #header = Buffer.allocUnsafeSlow(64 * 1024);

  /** @param chunking see `ReaderJob` */
  constructor(
    private readonly ring: RingFiller,
    private readonly post: (message: ReaderMessage) => void,
    private readonly tally: () => ReaderTally,
    chunking?: ReaderChunking,
  ) {
    this.#frame = new FrameRoom(chunking?.frameBytes);
    this.#chunked = chunking && new ChunkedFrames(chunking);
  }

  /**
   * Begins an entry: writes its header and, where that is at hand, its content. `line` is its index
   * line so far; `end` ends it.
   */
  begin(
    writer: PaxWriter,
    { line, entry }: { line: ByteString; entry: OpenEntry },
    content = NOTHING,
  ): void {
    this.#makeRoom();
    this.#pending = line;
    this.#entry = entry;
    this.#following = content;
    const { headerBytes } = writer;
    const { buffer, at, end } = this.#frame;
    if (headerBytes <= end - at) {
      writer.write(buffer, at);
      this.advance(headerBytes);
    } else {
      if (headerBytes > this.#header.length) this.#header = Buffer.alloc(headerBytes * 2);
      writer.write(this.#header, 0);
      this.#write(this.#header, headerBytes);
    }
    this.#following = NOTHING;
    if (content.length > 0) this.#write(content.buffer, content.length);
  }

  /** Goes on where another output stood: in the midst of an entry, or at its end. */
  goOn({ position, entry, rest }: ReaderState): void {
    this.position = position;
    this.#entry = entry;
    this.#write(Buffer.from(rest.buffer, rest.byteOffset, rest.length), rest.length);
  }

  /** Ends the entry with its index line as it has become, which must have a newline. */
  end(line: ByteString): void {
    this.#endEntry();
    this.indexLine(line);
  }

  /** Ends the entry with which this output went on: its line stands in front of that place. */
  endWithoutLine(): void {
    this.#endEntry();
  }

  /** Adds a line that belongs to no entry of the archive, or that of the entry that `end` ends. */
  indexLine(line: ByteString): void {
    if (this.#textUsed + line.length > TEXT_BYTES_MAX) {
      this.ring.takeIndexCredit();
      const text = this.#takeText();
      this.#chunked?.lines(text);
      this.post({ type: 'index', text });
    }
    this.#textUsed += writeByteText(this.#text, this.#textUsed, line);
  }

  zeros(length: number): void {
    for (let left = length; left > 0;) {
      this.#makeRoom();
      const { buffer, at, end } = this.#frame;
      const piece = Math.min(end - at, left);
      writeZeros(buffer, at, at + piece);
      this.advance(piece);
      left -= piece;
    }
  }

  /** Where the next archive bytes go: never empty. Fill some from its beginning, then `advance`. */
  room(): Buffer {
    this.#makeRoom();
    const { buffer, at, end } = this.#frame;
    return buffer.subarray(at, end);
  }

  advance(bytes: number): void {
    this.position += bytes;
    this.#frame.advance(bytes);
    if (this.#frame.isFull) this.#flush();
  }

  /** Writes the end of the archive. `finish` must follow. */
  endArchive(): void {
    this.#write(Buffer.alloc(ARCHIVE_END_BYTES), ARCHIVE_END_BYTES);
  }

  /** Hands over the last buffer. */
  finish(): void {
    if (this.#slot >= 0 && this.#frame.bytes > 0) this.#flush();
    this.#endFragment(true);
  }

  #write(bytes: Buffer, length: number): void {
    this.#writing = bytes;
    this.#writingEnd = length;
    for (let at = 0; at < length;) {
      this.#makeRoom();
      const { buffer, at: to, end } = this.#frame;
      const piece = Math.min(end - to, length - at);
      copyBytes(bytes.subarray(at, at + piece), buffer, to);
      at += piece;
      this.#writtenTo = at;
      this.advance(piece);
    }
    this.#writing = NOTHING.buffer;
    this.#writtenTo = 0;
    this.#writingEnd = 0;
  }

  #endEntry(): void {
    const beyond = this.position % TAR_BLOCK_BYTES;
    if (beyond !== 0) this.zeros(TAR_BLOCK_BYTES - beyond);
    this.#pending = '';
    this.#entry = undefined;
  }

  #makeRoom(): void {
    if (this.#slot >= 0) return;
    const { slot, buffer, made } = this.ring.take();
    this.#slot = slot;
    this.#made = made;
    this.#frame.begin(buffer);
  }

  #flush(): void {
    const { links, ...tally } = this.tally();
    const state = { position: this.position, entry: this.#entry, rest: this.#rest(), ...tally };
    const index = this.#takeText();
    const pending = this.#pending;
    const raw = this.#frame.close();
    const chunks = raw && this.#chunked?.frame(raw, { index, pending });
    this.ring.markFull(this.#slot);
    this.post({
      type: 'frame',
      slot: this.#slot,
      length: this.#frame.bytes,
      chunks,
      made: this.#made,
      index,
      pending,
      state,
      links,
    });
    this.#slot = -1;
    this.#endFragment(false);
  }

  #endFragment(isLast: boolean): void {
    const left = entryLeft({ position: this.position, entry: this.#entry });
    const end = this.#chunked?.end(left, isLast);
    if (end) this.post(end);
  }

  #rest(): Uint8Array {
    const writing = this.#writing.subarray(this.#writtenTo, this.#writingEnd);
    const { buffer, length } = this.#following;
    const rest = new Uint8Array(writing.length + length);
    rest.set(writing);
    rest.set(buffer.subarray(0, length), writing.length);
    return rest;
  }

  #takeText(): Uint8Array {
    const text = Uint8Array.prototype.slice.call(this.#text, 0, this.#textUsed);
    this.#textUsed = 0;
    return text;
  }
}
