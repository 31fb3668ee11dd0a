import type { ArchiveEntry } from '#archive/archive-entry.js';
import { makeBatchMemory, type BatchMemory } from '../../batch-memory.js';
import type { PlannedEntry } from '../restore-plan.js';
import type { Level } from '../writer/folder-stack.js';
import type { BesideThread } from './beside-thread.js';
import { BATCH_BYTES_MAX, BATCH_FILES_MAX, FileBatch } from './file-batch.js';

/** Batches under way, or done and not collected yet: half a mebibyte each. */
const BATCHES_MAX = 3;
/** A batch is not held for more than this while the other thread has nothing to do. */
const FILES_TO_START = 16;
/** Larger files are as well made by the thread that restores. Bytes. */
const FILE_BYTES_MAX = 128 * 1024;
/** A thread is not started for less. */
const FILES_BEFORE = 2_000;

/** A regular file to be made. */
export interface FileBeside {
  readonly planned: PlannedEntry;
  readonly entry: ArchiveEntry;
  readonly name: string;
  /** Stays open, and its times wait, until the file is there. */
  readonly level: Level;
}

/**
 * Has another thread make small files beside the one that restores: twice the calls of the system at a time, in
 * different folders mostly. Each of them makes a whole file at a time, so that not more than two are half made,
 * whatever happens. A file that the other thread cannot make is given back to be made again. Memory: 2 MiB.
 */
export class FilesBeside {
  #current: { readonly file: FileBeside; content: Buffer } | undefined;
  #filling: FileBatch<FileBeside> | undefined;
  readonly #underWay: FileBatch<FileBeside>[] = [];
  readonly #spare: BatchMemory[] = [];
  #files = 0;
  #bytes = 0;

  /**
   * @param thread without it this thread makes all of them
   * @param again makes a file that the other thread could not make
   * @param release is told of each file's level when the file is there
   */
  constructor(
    private readonly thread: BesideThread | undefined,
    private readonly then: {
      readonly again: (file: FileBeside, content: Buffer) => void;
      readonly release: (level: Level) => void;
    },
    private readonly filesBefore = FILES_BEFORE,
  ) {}

  /** Bytes of content of the files that are there. */
  get bytesWritten(): number {
    return this.#bytes;
  }

  /** Files are still to be made, or to be collected. */
  get isBusy(): boolean {
    return this.#filling !== undefined || this.#underWay.length > 0;
  }

  /**
   * Begins a file that needs nothing but what `makeFile` does, and whose content comes in one piece. False if this
   * thread has to make it. Not while another file is open: it may be the moment to make some again.
   */
  begin(file: FileBeside): boolean {
    this.#files += 1;
    if (!this.thread || this.#files <= this.filesBefore) return false;
    this.collect();
    const { size } = file.entry;
    if (size > FILE_BYTES_MAX || !this.#hasRoomFor(size)) return false;
    this.#current = { file, content: Buffer.alloc(0) };
    return true;
  }

  /** Takes the content of the file that was begun; false if none was. */
  write(content: Buffer): boolean {
    if (this.#current) this.#current.content = content;
    return this.#current !== undefined;
  }

  /** Ends the file that was begun; false if none was. */
  finish(): boolean {
    const current = this.#current;
    this.#current = undefined;
    if (!current) return false;
    const { file, content } = current;
    const { level, name, entry } = file;
    const { mode, mtimeSeconds, mtimeNanos } = entry;
    const path = `${level.base}${name}`;
    this.#filling!.add({ path, mode, mtimeSeconds, mtimeNanos, content }, file);
    level.users += 1;
    if (this.#underWay.length === 0 && this.#filling!.files >= FILES_TO_START) this.flush();
    return true;
  }

  /** Forgets the file that was begun. */
  abandon(): void {
    this.#current = undefined;
  }

  /** Has all that was added made. */
  flush(): void {
    if (!this.#filling) return;
    this.thread!.start(this.#filling.job);
    this.#underWay.push(this.#filling);
    this.#filling = undefined;
  }

  /** Takes in what is done. */
  collect(): void {
    while (this.#underWay[0]?.isDone) {
      const batch = this.#underWay.shift()!;
      for (const { whose, content, isMade } of batch.results()) {
        if (isMade) this.#bytes += content.length;
        else this.then.again(whose, content);
        this.then.release(whose.level);
      }
      this.#spare.push(batch.memory);
    }
  }

  #hasRoomFor(bytes: number): boolean {
    if (this.#filling?.hasRoomFor(bytes) === false) this.flush();
    if (this.#filling) return true;
    if (this.#underWay.length >= BATCHES_MAX) return false;
    this.#filling = new FileBatch(
      this.#spare.pop() ?? makeBatchMemory(BATCH_FILES_MAX, BATCH_BYTES_MAX),
    );
    return true;
  }
}
