import {
  RAW_BLOCK_BYTES,
  rawBlockAt,
  rawFrameBytes,
  writeRawHeaders,
} from '#archive/frames/raw-frame.js';

/**
 * Where the bytes of a frame go in its buffer: all in a row, or where a raw frame has them, between the headers of its
 * blocks. So nobody has to copy them to make one.
 */
export class FrameRoom {
  buffer: Buffer = Buffer.alloc(0);
  /** Where the next bytes go. */
  at = 0;
  /** As far as they go in a row. */
  end = 0;
  /** Archive bytes that it holds. */
  bytes = 0;

  #block = 0;
  #bytesMax = 0;

  /** @param rawBytes archive bytes of a raw frame; undefined: the whole buffer, in a row */
  constructor(private readonly rawBytes: number | undefined) {}

  begin(buffer: Buffer): void {
    this.buffer = buffer;
    this.bytes = 0;
    this.#bytesMax = this.rawBytes ?? buffer.length;
    this.#block = 0;
    this.at = this.rawBytes === undefined ? 0 : rawBlockAt(0);
    this.end = this.rawBytes === undefined ? buffer.length : this.#blockEnd();
  }

  get isFull(): boolean {
    return this.bytes === this.#bytesMax;
  }

  /** `bytes` of those in a row were written. */
  advance(bytes: number): void {
    this.at += bytes;
    this.bytes += bytes;
    if (this.at < this.end || this.isFull) return;
    this.#block += 1;
    this.at = rawBlockAt(this.#block);
    this.end = this.#blockEnd();
  }

  /** Nothing follows. @returns the raw frame that it is now; undefined if it is none */
  close(): Buffer | undefined {
    const { buffer, bytes } = this;
    if (this.rawBytes === undefined) return undefined;
    writeRawHeaders(buffer, bytes);
    return buffer.subarray(0, rawFrameBytes(bytes));
  }

  #blockEnd(): number {
    return this.at + Math.min(RAW_BLOCK_BYTES, this.#bytesMax - this.bytes);
  }
}
