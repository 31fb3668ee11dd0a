/**
 * Some shared buffers between the thread that reads the client and the one that sends. The reader fills the first one
 * that is empty, or waits for one; the other side gives each back. What is in a buffer,
 * and that it is full, goes by message. The reader makes each buffer when it comes to it for the first time: a small
 * backup needs one, and one whose other side keeps up needs few, which stay in the processor's cache.
 */
export interface SharedRing {
  readonly control: SharedArrayBuffer;
  readonly buffers: number;
  readonly bufferBytes: number;
}

/** Number and size (bytes) of the buffers. Each is one frame of the archive: 1 MiB in the format. */
export interface RingSize {
  readonly buffers: number;
  readonly bufferBytes: number;
}

export const RING_DEFAULT: RingSize = { buffers: 8, bufferBytes: 1024 * 1024 };

/** Index texts that may be under way beside the buffers. */
const INDEX_TEXTS_MAX = 8;

const STOP = 0;
const INDEX_TEXTS = 1;
const WAITS_FOR_EMPTY = 2;
/** Counts what was given back. */
const RELEASES = 3;
const FIRST_SLOT = 4;
const EMPTY = 0;
const FULL = 1;

/** Thrown in the reading thread when the other side wants it to end. */
export class ReaderStopped extends Error {
  override readonly name = 'ReaderStopped';
}

export function createRing({ buffers, bufferBytes }: RingSize): SharedRing {
  return {
    control: new SharedArrayBuffer((FIRST_SLOT + buffers) * Int32Array.BYTES_PER_ELEMENT),
    buffers,
    bufferBytes,
  };
}

/** The side that fills. Its waits block the thread. */
export class RingFiller {
  readonly #control: Int32Array;
  readonly #buffers: Buffer[] = [];

  constructor(private readonly ring: SharedRing) {
    this.#control = new Int32Array(ring.control);
  }

  get stopped(): boolean {
    return Atomics.load(this.#control, STOP) !== 0;
  }

  /** An empty buffer, when there is one; a new one has to be shown to the other side. @throws ReaderStopped */
  take(): { slot: number; buffer: Buffer; made: SharedArrayBuffer | undefined } {
    const slot = this.#empty();
    const known = this.#buffers[slot];
    if (known) return { slot, buffer: known, made: undefined };
    const made = new SharedArrayBuffer(this.ring.bufferBytes);
    const buffer = Buffer.from(made);
    this.#buffers[slot] = buffer;
    return { slot, buffer, made };
  }

  #empty(): number {
    for (let waited = false; ; waited = true) {
      const releases = Atomics.load(this.#control, RELEASES);
      if (this.stopped) throw new ReaderStopped('The backup was stopped');
      for (let slot = 0; slot < this.ring.buffers; slot++) {
        if (Atomics.load(this.#control, FIRST_SLOT + slot) === EMPTY) return slot;
      }
      if (!waited) Atomics.add(this.#control, WAITS_FOR_EMPTY, 1);
      Atomics.wait(this.#control, RELEASES, releases);
    }
  }

  /** To be called before the message that says so. */
  markFull(slot: number): void {
    Atomics.store(this.#control, FIRST_SLOT + slot, FULL);
  }

  /** Waits until one more index text may be sent, and counts it. @throws ReaderStopped */
  takeIndexCredit(): void {
    for (;;) {
      const texts = Atomics.load(this.#control, INDEX_TEXTS);
      if (this.stopped) throw new ReaderStopped('The backup was stopped');
      if (texts < INDEX_TEXTS_MAX) break;
      Atomics.wait(this.#control, INDEX_TEXTS, texts);
    }
    Atomics.add(this.#control, INDEX_TEXTS, 1);
  }
}

/** The side that empties. It never waits. */
export class RingEmptier {
  readonly #control: Int32Array;
  readonly #buffers: Buffer[] = [];

  constructor(private readonly ring: SharedRing) {
    this.#control = new Int32Array(ring.control);
  }

  /** Takes in a buffer that the other side has made. */
  adopt(slot: number, made: SharedArrayBuffer): void {
    this.#buffers[slot] = Buffer.from(made);
  }

  buffer(slot: number): Buffer {
    return this.#buffers[slot]!;
  }

  release(slot: number): void {
    Atomics.store(this.#control, FIRST_SLOT + slot, EMPTY);
    Atomics.add(this.#control, RELEASES, 1);
    Atomics.notify(this.#control, RELEASES);
  }

  releaseIndexText(): void {
    Atomics.sub(this.#control, INDEX_TEXTS, 1);
    Atomics.notify(this.#control, INDEX_TEXTS);
  }

  /** Wakes the other side, wherever it waits, and has it end. */
  stop(): void {
    Atomics.store(this.#control, STOP, 1);
    // Whoever is about to wait for one of these values must find another one.
    Atomics.store(this.#control, INDEX_TEXTS, -1);
    Atomics.notify(this.#control, INDEX_TEXTS);
    Atomics.add(this.#control, RELEASES, 1);
    Atomics.notify(this.#control, RELEASES);
  }

  /** How often the reading thread found no empty buffer. */
  get waitsForEmpty(): number {
    return Atomics.load(this.#control, WAITS_FOR_EMPTY);
  }
}
