import { Blake3Hasher } from '@napi-rs/blake-hash';
import type { LaidPart, RawLayout } from './raw-layout.js';

/** BLAKE3 is several times as fast with much at once, at multiples of its own block. */
const AT_ONCE_BYTES = 1024 * 1024;

/** The digest of data, from the bytes of their chunks in order. */
export class DataHash {
  private readonly hash = new Blake3Hasher();
  private readonly buffer = Buffer.allocUnsafeSlow(AT_ONCE_BYTES);
  private filled = 0;
  private readonly parts: Iterator<LaidPart> | undefined;
  /** Of the part that chunks are filling. */
  private left: number;

  /**
   * @param layout undefined where the chunks are the data
   * @param onBytes hears of what is hashed
   */
  constructor(
    layout: RawLayout | undefined,
    private readonly onBytes: (bytes: number) => void,
  ) {
    this.parts = layout?.parts(0, layout.bytes)[Symbol.iterator]();
    this.left = layout ? 0 : Infinity;
  }

  /** The next bytes. They may be reused at once. */
  add(bytes: Buffer): void {
    for (let at = 0; at < bytes.length;) {
      // More bytes than there is room for make another digest.
      if (this.left === 0 && !this.nextPart()) this.left = Infinity;
      const some = bytes.subarray(at, at + this.left);
      this.write(some);
      this.left -= some.length;
      at += some.length;
    }
  }

  /** Hex. Of fewer bytes than should have come it is another one. */
  end(): string {
    if (this.left === 0) while (this.nextPart());
    this.flush();
    return this.hash.digest('hex');
  }

  /** Writes what is made, up to where chunks go on. False at the end. */
  private nextPart(): boolean {
    for (;;) {
      const next = this.parts?.next();
      if (!next || next.done) return false;
      const { made, bytes } = next.value;
      if (!made) {
        this.left = bytes;
        return true;
      }
      this.write(made);
    }
  }

  private write(bytes: Buffer): void {
    for (let at = 0; at < bytes.length;) {
      const copied = bytes.copy(this.buffer, this.filled, at);
      this.filled += copied;
      at += copied;
      if (this.filled === AT_ONCE_BYTES) this.flush();
    }
  }

  private flush(): void {
    const bytes = this.buffer.subarray(0, this.filled);
    this.filled = 0;
    this.hash.update(bytes);
    this.onBytes(bytes.length);
  }
}
