import { writeByteText, writeZeros } from '#archive/byte-text.js';
import { INDEX_FRAME_BYTES_MAX } from '#archive/index-line.js';
import type { ByteString } from '#archive/path-text.js';
import type { PaxWriter } from '#archive/pax-writer.js';
import { ARCHIVE_END_BYTES, TAR_BLOCK_BYTES } from '#archive/tar-block.js';

import type { RingFiller } from '../buffer-ring.js';
import type { ReaderMessage } from '../reader-messages.js';

/** Texts go on their own before they reach this, so that they fit into one index frame. */
const TEXT_BYTES_MAX = INDEX_FRAME_BYTES_MAX - 64 * 1024;

/** The archive and index as the reading thread writes them, buffer by buffer. */
export class ArchiveOutput {
  /** Archive bytes written so far. */
  position = 0;

  #slot = -1;
  #buffer: Buffer = Buffer.alloc(0);
  #used = 0;
  #pending: ByteString = '';
  readonly #text = Buffer.alloc(INDEX_FRAME_BYTES_MAX);
  #textUsed = 0;
  #header = Buffer.alloc(64 * 1024);

  constructor(
    private readonly ring: RingFiller,
    private readonly post: (message: ReaderMessage) => void,
  ) {}

  /** Begins an entry. `line` is its index line so far; `end` ends it. */
  begin(writer: PaxWriter, line: ByteString): void {
    this.#makeRoom();
    this.#pending = line;
    const { headerBytes } = writer;
    if (headerBytes <= this.#buffer.length - this.#used) {
      writer.write(this.#buffer, this.#used);
      this.advance(headerBytes);
      return;
    }
    if (headerBytes > this.#header.length) this.#header = Buffer.alloc(headerBytes * 2);
    writer.write(this.#header, 0);
    this.write(this.#header, headerBytes);
  }

  /** Ends the entry with its index line as it has become, which must have a newline. */
  end(line: ByteString): void {
    const beyond = this.position % TAR_BLOCK_BYTES;
    if (beyond !== 0) this.zeros(TAR_BLOCK_BYTES - beyond);
    this.#pending = '';
    this.indexLine(line);
  }

  /** Adds a line that belongs to no entry of the archive, or that of the entry that `end` ends. */
  indexLine(line: ByteString): void {
    if (this.#textUsed + line.length > TEXT_BYTES_MAX) {
      this.ring.takeIndexCredit();
      this.post({ type: 'index', text: this.#takeText() });
    }
    this.#textUsed += writeByteText(this.#text, this.#textUsed, line);
  }

  write(bytes: Buffer, length: number): void {
    for (let at = 0; at < length;) {
      this.#makeRoom();
      const piece = Math.min(this.#buffer.length - this.#used, length - at);
      bytes.copy(this.#buffer, this.#used, at, at + piece);
      this.advance(piece);
      at += piece;
    }
  }

  zeros(length: number): void {
    for (let left = length; left > 0;) {
      this.#makeRoom();
      const piece = Math.min(this.#buffer.length - this.#used, left);
      writeZeros(this.#buffer, this.#used, this.#used + piece);
      this.advance(piece);
      left -= piece;
    }
  }

  /** Where the next archive bytes go: never empty. Fill some from its beginning, then `advance`. */
  room(): Buffer {
    this.#makeRoom();
    return this.#buffer.subarray(this.#used);
  }

  advance(bytes: number): void {
    this.#used += bytes;
    this.position += bytes;
    if (this.#used === this.#buffer.length) this.#flush();
  }

  /** Writes the end of the archive and hands over the last buffer. */
  finish(): void {
    this.zeros(ARCHIVE_END_BYTES);
    if (this.#used > 0) this.#flush();
  }

  #makeRoom(): void {
    if (this.#slot >= 0) return;
    const { slot, buffer } = this.ring.take();
    this.#slot = slot;
    this.#buffer = buffer;
    this.#used = 0;
  }

  #flush(): void {
    this.ring.markFull(this.#slot);
    this.post({
      type: 'frame',
      slot: this.#slot,
      length: this.#used,
      index: this.#takeText(),
      pending: this.#pending,
    });
    this.#slot = -1;
    this.#used = 0;
  }

  #takeText(): Uint8Array {
    const text = Uint8Array.prototype.slice.call(this.#text, 0, this.#textUsed);
    this.#textUsed = 0;
    return text;
  }
}
