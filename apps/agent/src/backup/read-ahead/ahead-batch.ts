import type { ByteString } from '#archive/path-text.js';

import type { BatchMemory } from '../../batch-memory.js';
import type { FileStat } from '../reader/file-stat.js';

/** Files of one batch, and bytes of what they hold. */
export const BATCH_FILES_MAX = 128;
export const BATCH_BYTES_MAX = 1024 * 1024;

const DONE = 0;
const FIRST_LENGTH = 1;
const NOT_READ = -1;
const NUMBERS_PER_FILE = 6;

/** What the other thread is told. */
export interface BatchJob {
  readonly memory: BatchMemory;
  /** The ways to them for a system call, with a NUL between them. */
  readonly ways: ByteString;
  /** Of each file, as `numbersOf` gives them. */
  readonly numbers: Float64Array;
}

/** What must not have changed for a file to be what the walk has seen. */
function numbersOf(stat: FileStat): readonly number[] {
  const { size, inode, mtimeSeconds, mtimeNanos, ctimeSeconds, ctimeNanos } = stat;
  return [size, Number(inode), mtimeSeconds, mtimeNanos, ctimeSeconds, ctimeNanos];
}

/** Files that are read ahead together: on the side of the thread that wants them. */
export class AheadBatch {
  private readonly control: Int32Array;
  private readonly content: Buffer;
  private readonly ways: ByteString[] = [];
  private readonly numbers: number[] = [];
  private readonly offsets: number[] = [];
  private bytes = 0;
  private taken = 0;

  constructor(readonly memory: BatchMemory) {
    this.control = new Int32Array(memory.control);
    this.content = Buffer.from(memory.content);
    this.control[DONE] = 0;
  }

  hasRoomFor({ size }: FileStat): boolean {
    return this.ways.length < BATCH_FILES_MAX && this.bytes + size <= BATCH_BYTES_MAX;
  }

  /** @param way good until the file is taken */
  add(way: ByteString, stat: FileStat): void {
    this.offsets.push(this.bytes);
    this.bytes += stat.size;
    this.numbers.push(...numbersOf(stat));
    this.ways.push(way);
  }

  get job(): BatchJob {
    const numbers = Float64Array.from(this.numbers);
    return { memory: this.memory, ways: this.ways.join('\0'), numbers };
  }

  /** Blocks until all of it was read. False if that takes longer than `ms`. */
  wait(ms: number): boolean {
    return Atomics.wait(this.control, DONE, 0, ms) !== 'timed-out';
  }

  /** True when all its files were taken. */
  get isOver(): boolean {
    return this.taken === this.ways.length;
  }

  /** What the next file holds; undefined if it could not be read, or is not any more what the walk has seen. */
  take(): Buffer | undefined {
    const file = this.taken;
    this.taken += 1;
    const length = Atomics.load(this.control, FIRST_LENGTH + file);
    const offset = this.offsets[file]!;
    return length === NOT_READ ? undefined : this.content.subarray(offset, offset + length);
  }
}

/** Reads one file into `into`, which has its size. Gives its `stat` afterwards; undefined if anything is unusual. */
export type ReadFile = (way: ByteString, into: Buffer) => FileStat | undefined;

/** The side of the thread that reads. */
export function readBatch({ memory, ways, numbers }: BatchJob, read: ReadFile): void {
  const control = new Int32Array(memory.control);
  const content = Buffer.from(memory.content);
  let offset = 0;
  ways.split('\0').forEach((way, file) => {
    const expected = numbers.subarray(file * NUMBERS_PER_FILE, (file + 1) * NUMBERS_PER_FILE);
    const size = expected[0]!;
    const stat = read(way, content.subarray(offset, offset + size));
    const isSame = stat !== undefined && numbersOf(stat).every((n, at) => n === expected[at]);
    Atomics.store(control, FIRST_LENGTH + file, isSame ? size : NOT_READ);
    offset += size;
  });
  Atomics.store(control, DONE, 1);
  Atomics.notify(control, DONE);
}
