import { closeSync, constants, openSync, writeSync } from 'node:fs';

import { alignedBytes, BLOCK_BYTES } from '#kernel/c-library/aligned-bytes.js';
import { codeOf } from '#kernel/errors.js';
import { QuickerRoute, SLICE_BYTES } from '../../domain/write-route.js';

/** Content from here on is large, in bytes. */
export const LARGE_BYTES_MIN = 4 * SLICE_BYTES;
const STAGE_BYTES = 1024 * 1024;

/**
 * Writes the contents of large files, one after the other, the way that is quicker: through the page cache, or past it
 * (`O_DIRECT`) in whole blocks, which are put together here. Where the file system does not know the other way, or does
 * not let the file be opened once more, all goes through the cache.
 */
export class LargeContent {
  readonly #quicker = new QuickerRoute();
  /** As far as is known of this file. */
  #mayBeDirect = true;
  #stage: Buffer | undefined;
  #fd = -1;
  #direct = -1;
  /** What is gathered goes here in the file. */
  #at = 0;
  #gathered = 0;
  #sliceBytes = 0;
  #sliceMs = 0;

  /** @param fd open for writing, and empty */
  begin(fd: number): void {
    this.#fd = fd;
    this.#at = 0;
    this.#gathered = 0;
    this.#mayBeDirect = true;
  }

  /** Writes a piece. Where it does not lie behind the last one there is a hole. */
  write(bytes: Buffer, offset: number): void {
    const begun = performance.now();
    if (this.#isDirect()) this.#gather(bytes, offset);
    else writeAll(this.#fd, bytes, offset);
    this.#sliceMs += performance.now() - begun;
    this.#sliceBytes += bytes.length;
    if (this.#sliceBytes >= SLICE_BYTES) this.#endSlice();
  }

  /** Writes what is gathered. `close` must follow. */
  end(): void {
    this.#flush();
  }

  /** What is gathered is not written. */
  close(): void {
    if (this.#direct >= 0) closeSync(this.#direct);
    this.#direct = -1;
    this.#gathered = 0;
  }

  #endSlice(): void {
    this.#flush();
    this.#quicker.slice((this.#sliceMs * SLICE_BYTES) / this.#sliceBytes);
    this.#sliceMs = 0;
    this.#sliceBytes = 0;
  }

  #isDirect(): boolean {
    if (this.#quicker.route !== 'direct' || !this.#mayBeDirect) return false;
    this.#stage ??= alignedBytes(STAGE_BYTES);
    if (this.#stage && this.#direct < 0) this.#direct = openDirect(this.#fd);
    this.#mayBeDirect = this.#direct >= 0;
    return this.#mayBeDirect;
  }

  #gather(bytes: Buffer, offset: number): void {
    if (offset !== this.#at + this.#gathered) this.#flush();
    if (this.#gathered === 0) this.#at = offset;
    for (let from = 0; from < bytes.length;) {
      // As far as a block's end, so that what comes next begins with one.
      const room = STAGE_BYTES - (this.#at % BLOCK_BYTES) - this.#gathered;
      const taken = bytes.copy(this.#stage!, this.#gathered, from, from + room);
      from += taken;
      this.#gathered += taken;
      if (taken === room) this.#flush();
    }
  }

  #flush(): void {
    const length = this.#gathered;
    if (length === 0) return;
    const bytes = this.#stage!.subarray(0, length);
    const isWhole = this.#at % BLOCK_BYTES === 0 && length % BLOCK_BYTES === 0;
    const written = isWhole ? this.#writePastCache(bytes) : 0;
    writeAll(this.#fd, bytes.subarray(written), this.#at + written);
    this.#at += length;
    this.#gathered = 0;
  }

  /** @returns how much of it was written */
  #writePastCache(bytes: Buffer): number {
    try {
      return writeSync(this.#direct, bytes, 0, bytes.length, this.#at);
    } catch (error) {
      // What is wrong with the disk the other way might not say: it only fills the page cache.
      if (codeOf(error) !== 'EINVAL') throw error;
      this.#mayBeDirect = false;
      return 0;
    }
  }
}

/** The same file once more: its name may be another's by now. -1 where that is not possible. */
function openDirect(fd: number): number {
  try {
    return openSync(`/proc/self/fd/${fd}`, constants.O_WRONLY | constants.O_DIRECT);
  } catch {
    return -1;
  }
}

/** Writes through the page cache. */
export function writeAll(fd: number, bytes: Buffer, offset: number): void {
  for (let at = 0; at < bytes.length;) {
    at += writeSync(fd, bytes, at, bytes.length - at, offset + at);
  }
}
