import { copyBytes } from '#kernel/copy-bytes.js';
import type { BatchMemory } from '../../batch-memory.js';
import type { BytePath } from '../../posix/byte-path.js';

/** Files of one batch, and bytes of what they hold. */
export const BATCH_FILES_MAX = 64;
export const BATCH_BYTES_MAX = 512 * 1024;

const STATE = 0;
const FIRST_RESULT = 1;
const MADE = 1;
const DONE = 1;
const NUMBERS_PER_FILE = 4;

/** What the other thread is told. */
export interface BatchJob {
  readonly memory: BatchMemory;
  /** With a NUL between them. */
  readonly paths: BytePath;
  /** Of each file: bytes, mode, and when it was changed (seconds, nanoseconds). */
  readonly numbers: Float64Array;
}

/** A regular file whose content is all there. */
export interface NewFile {
  /** For the system; nothing is there. */
  readonly path: BytePath;
  readonly mode: number;
  readonly mtimeSeconds: number;
  readonly mtimeNanos: number;
  readonly content: Buffer;
}

/** Files that are made together: on the side of the thread that wants them. */
export class FileBatch<T> {
  private readonly control: Int32Array;
  private readonly content: Buffer;
  private readonly paths: BytePath[] = [];
  private readonly numbers: number[] = [];
  private readonly added: { readonly whose: T; readonly content: Buffer }[] = [];
  private bytes = 0;

  constructor(readonly memory: BatchMemory) {
    this.control = new Int32Array(memory.control);
    this.content = Buffer.from(memory.content);
    Atomics.store(this.control, STATE, 0);
  }

  hasRoomFor(bytes: number): boolean {
    return this.files < BATCH_FILES_MAX && this.bytes + bytes <= BATCH_BYTES_MAX;
  }

  get files(): number {
    return this.added.length;
  }

  /** Copies what it holds. */
  add(file: NewFile, whose: T): void {
    const end = this.bytes + file.content.length;
    copyBytes(file.content, this.content, this.bytes);
    this.added.push({ whose, content: this.content.subarray(this.bytes, end) });
    this.bytes = end;
    this.paths.push(file.path);
    this.numbers.push(file.content.length, file.mode, file.mtimeSeconds, file.mtimeNanos);
  }

  get job(): BatchJob {
    const numbers = Float64Array.from(this.numbers);
    return { memory: this.memory, paths: this.paths.join('\0'), numbers };
  }

  get isDone(): boolean {
    return Atomics.load(this.control, STATE) === DONE;
  }

  /** Each file, in order, once it is done. */
  *results(): Iterable<{ readonly whose: T; readonly content: Buffer; readonly isMade: boolean }> {
    for (const [at, file] of this.added.entries()) {
      yield { ...file, isMade: Atomics.load(this.control, FIRST_RESULT + at) === MADE };
    }
  }
}

/** Makes one file; true if it is there as it should be, false if nothing of it is. */
export type MakeFile = (file: NewFile) => boolean;

/** The side of the thread that makes them. */
export function makeBatch({ memory, paths, numbers }: BatchJob, make: MakeFile): void {
  const control = new Int32Array(memory.control);
  const all = Buffer.from(memory.content);
  let offset = 0;
  paths.split('\0').forEach((path, at) => {
    const first = at * NUMBERS_PER_FILE;
    const end = offset + numbers[first]!;
    const file = {
      path,
      mode: numbers[first + 1]!,
      mtimeSeconds: numbers[first + 2]!,
      mtimeNanos: numbers[first + 3]!,
      content: all.subarray(offset, end),
    };
    offset = end;
    Atomics.store(control, FIRST_RESULT + at, make(file) ? MADE : 0);
  });
  Atomics.store(control, STATE, DONE);
}
