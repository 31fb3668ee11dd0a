import { mkdir, type FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';
import { assert } from '#kernel/assert.js';
import { messageOf } from '#kernel/errors.js';
import { syncFolder } from '../directory/sync-folder.js';
import { writeError } from '../errors.js';
import { lockFolder, type FolderLock } from './folder-lock.js';
import { JournalFiles } from './journal-files.js';
import { replaySegments, replaySnapshot, snapshotUnits, type Position } from './journal-replay.js';
import { encodeUnit } from './journal-unit.js';
import { recordLine, type ParseRecord, type RecordLine } from './record-text.js';

/** A segment that has grown beyond this is followed by a new one. */
export const SEGMENT_BYTES_MAX = 16 * 1024 * 1024;
/** Payload that one write takes; what waits beyond goes with the next one. */
const FLUSH_BYTES_MAX = 1024 * 1024;
/** Closed segments from which on a compaction is due. */
const COMPACT_FROM_SEGMENTS = 4;

export interface JournalOptions<R> {
  /** Made if it is not there (its parent must be). */
  readonly folder: string;
  readonly parse: ParseRecord<R>;
  /** Gets every record that was ever appended and not compacted away, in order. */
  readonly onRecord: (record: R) => void;
  readonly segmentBytesMax?: number;
}

/** Boils records down to fewer that mean the same. */
export interface Condenser<R> {
  apply(record: R): void;
  records(): Iterable<R>;
}

interface OpenSegment {
  segment: number;
  /** Of the last unit. */
  sequence: number;
  handle: FileHandle;
  bytes: number;
}

interface Waiting {
  readonly line: RecordLine;
  /** Of the last record of an `append`; those before it have none. */
  readonly settle?: {
    readonly resolve: () => void;
    readonly reject: (error: unknown) => void;
  };
}

/**
 * An append-only journal in a folder of its own. It promises:
 *
 * - `append` resolves when its records survive a power loss; records come back in order. Several
 *   appends that wait share one fdatasync.
 * - One process has it open, by a lock that ends with the process.
 * - A write that a crash cut off is dropped at open: nobody was told that it was done. Anything else
 *   that cannot be read stops the open with `VolumeUnusable`; nothing is guessed.
 * - After a failed write it accepts nothing more (what is on the disk is then unknown): open it
 *   again.
 */
export class Journal<R> {
  private waiting: Waiting[] = [];
  private flushing: Promise<void> | undefined;
  private exclusive: Promise<void> = Promise.resolve();
  private broken: Error | undefined;
  private closed = false;
  private compacting = false;

  private constructor(
    private readonly files: JournalFiles,
    private readonly lock: FolderLock,
    private readonly options: JournalOptions<R>,
    private readonly state: OpenSegment,
    /** Bytes of an interrupted write that were cut off at open. */
    readonly tornBytes: number,
  ) {}

  static async open<R>(options: JournalOptions<R>): Promise<Journal<R>> {
    await mkdir(options.folder, { recursive: true, mode: 0o700 });
    await syncFolder(dirname(options.folder));
    const files = new JournalFiles(options.folder);
    const lock = await lockFolder(options.folder);
    try {
      // A process may have died between making a segment and syncing its name.
      await syncFolder(options.folder);
      const from = await replaySnapshot(files, options.parse, options.onRecord);
      const segments = await files.segments();
      // A crash between snapshot and retirement leaves segments that are in the snapshot already.
      await files.retireSegments(segments.filter((number) => number <= from.segment));
      const fresh = segments.filter((number) => number > from.segment);
      const end = await replaySegments(files, { from, segments: fresh, mayBeTorn: true }, options);
      const { sequence, goodEnd: bytes, tornBytes } = end;
      const state =
        fresh.length > 0
          ? { segment: end.segment, handle: await files.reopenSegment(end.segment, bytes) }
          : { segment: end.segment + 1, handle: await files.createSegment(end.segment + 1) };
      return new Journal(files, lock, options, { ...state, sequence, bytes }, tornBytes);
    } catch (error) {
      await lock.release();
      throw error;
    }
  }

  /** What made it accept nothing more. */
  get failure(): Error | undefined {
    return this.broken;
  }

  /** Throws `VolumeFull` or `VolumeWriteFailed`; then each of the records may or may not be there. */
  append(...records: readonly R[]): Promise<void> {
    if (this.broken) return Promise.reject(this.broken);
    assert(!this.closed, 'a closed journal is written');
    const lines = records.map(recordLine);
    const last = lines.pop();
    if (!last) return Promise.resolve();
    for (const line of lines) this.waiting.push({ line });
    return new Promise((resolve, reject) => {
      this.waiting.push({ line: last, settle: { resolve, reject } });
      this.flushing ??= this.flush();
    });
  }

  /**
   * Compacts the journal where that is due: for whoever has just opened it. A compaction that fails (the
   * volume may be full) is a warning and no failure: what was replayed counts, and the next open tries again.
   */
  async compactIfDue(condenser: Condenser<R>): Promise<void> {
    try {
      const closed = (await this.files.segments()).length - 1;
      if (closed >= COMPACT_FROM_SEGMENTS) await this.compact(condenser);
    } catch (error) {
      const { folder } = this.options;
      process.emitWarning(`the journal ${folder} could not be condensed: ${messageOf(error)}`);
    }
  }

  /**
   * Ends the open segment, puts what the closed ones say into the snapshot and takes them out of the
   * row. It reads them from disk, so what is being appended meanwhile has no part in it. Resolves
   * with the number of segments that went.
   */
  async compact(condenser: Condenser<R>): Promise<number> {
    if (this.compacting) return 0;
    this.compacting = true;
    try {
      const through = await this.alone(() => this.endSegment());
      const { files, options } = this;
      const add = (record: R) => condenser.apply(record);
      const from = await replaySnapshot(files, options.parse, add);
      const closed = (await files.segments()).filter((number) => number <= through.segment);
      const range = { from, segments: closed, mayBeTorn: false };
      const end = await replaySegments(files, range, { parse: options.parse, onRecord: add });
      assert(end.sequence === through.sequence, 'a compaction that missed a unit');
      await files.replaceSnapshot(snapshotUnits([...condenser.records()], through));
      await files.retireSegments(closed);
      return closed.length;
    } finally {
      this.compacting = false;
    }
  }

  /** Resolves when what was appended is durable or has failed; then the lock is free. */
  async close(): Promise<void> {
    this.closed = true;
    await this.flushing;
    await this.exclusive;
    await this.state.handle.close();
    await this.lock.release();
  }

  private async flush(): Promise<void> {
    // One turn, so that what is appended together is flushed together.
    await Promise.resolve();
    while (this.waiting.length > 0) {
      const batch = this.takeBatch();
      try {
        await this.alone(() => this.writeUnit(batch));
        for (const { settle } of batch) settle?.resolve();
      } catch (error) {
        this.broken = writeError(this.options.folder, error);
        for (const { settle } of [...batch, ...this.waiting.splice(0)]) settle?.reject(this.broken);
      }
    }
    this.flushing = undefined;
  }

  private takeBatch(): Waiting[] {
    let bytes = 0;
    let count = 0;
    for (const { line } of this.waiting) {
      if (count > 0 && bytes + line.bytes > FLUSH_BYTES_MAX) break;
      bytes += line.bytes;
      count += 1;
    }
    return this.waiting.splice(0, count);
  }

  private async writeUnit(batch: readonly Waiting[]): Promise<void> {
    const { state } = this;
    if (state.bytes >= (this.options.segmentBytesMax ?? SEGMENT_BYTES_MAX)) await this.endSegment();
    const unit = encodeUnit(
      state.sequence + 1,
      batch.map(({ line }) => line),
    );
    let written = 0;
    while (written < unit.length) {
      const rest = unit.length - written;
      const { bytesWritten } = await state.handle.write(unit, written, rest, state.bytes + written);
      written += bytesWritten;
    }
    await state.handle.datasync();
    state.bytes += unit.length;
    state.sequence += 1;
  }

  /** Goes on in a new segment, if the open one holds anything. Says where the closed ones end. */
  private async endSegment(): Promise<Position> {
    const { state } = this;
    if (state.bytes > 0) {
      const handle = await this.files.createSegment(state.segment + 1);
      await state.handle.close();
      Object.assign(state, { handle, segment: state.segment + 1, bytes: 0 });
    }
    return { segment: state.segment - 1, sequence: state.sequence };
  }

  /** Runs one piece of work on the open segment at a time. */
  private alone<T>(work: () => Promise<T>): Promise<T> {
    const result = this.exclusive.then(work);
    this.exclusive = result.then(
      () => undefined,
      () => undefined,
    );
    return result;
  }
}
