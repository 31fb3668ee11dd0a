import type { ByteString } from '#archive/path-text.js';

import type { EntryStore } from '../reader/entry-store.js';
import type { FileStat } from '../reader/file-stat.js';
import { openFolderCount, wayTo, type OpenFolder } from '../reader/open-folder.js';
import type { ReaderContext } from '../reader/reader-context.js';
import { isSmall } from '../reader/regular-file.js';
import { makeBatchMemory, type BatchMemory } from '../../batch-memory.js';
import { AheadBatch, BATCH_BYTES_MAX, BATCH_FILES_MAX, type BatchJob } from './ahead-batch.js';

/** Batches under way: 1 MiB each. */
const BATCHES_MAX = 3;
/** Entries that wait, files or not. */
const ENTRIES_MAX = 1_024;
/** Folders that are open, those of entries that wait among them: nothing more waits then. */
const OPEN_FOLDERS_MAX = 256;
/** What backups of this thread, one after the other, have used. */
const SPARE: BatchMemory[] = [];
/** A batch takes a millisecond; a file system that takes so long is waited for by whoever stores the file. */
const PATIENCE_MS = 5_000;
/** A thread is not started for less. */
export const FILES_BEFORE = 2_000;

interface Entry {
  readonly path: ByteString;
  readonly stat: FileStat;
  /** Stays open for it. */
  readonly folder: OpenFolder | undefined;
  /** In which it is the next file, when it is its turn. */
  readonly batch: AheadBatch | undefined;
  /** When the walk saw it, which is before it is read. */
  readonly seenMs: number;
}

export interface ReadAhead {
  /** Has a batch read by another thread. */
  start(job: BatchJob): void;
  /** It takes too long: nothing of what was started is used. */
  giveUp(): void;
}

/**
 * Lets another thread read small files ahead while this one walks and stores, in the same order: twice the calls of
 * the system at a time. What was read ahead counts only if the file is still what the walk has seen; every other
 * file is read as it would be without this. Memory: 1,024 entries and 4 MiB. Their folders stay open; those that wait when
 * the backup fails are closed with the thread.
 */
export class AheadStore {
  readonly #queue: Entry[] = [];
  #filling: AheadBatch | undefined;
  #underWay = 0;
  #files = 0;
  #gaveUp = false;

  /**
   * @param filesBefore files that are read without it
   * @param patienceMs how long a batch is waited for
   */
  constructor(
    private readonly store: Pick<EntryStore, 'add' | 'keepWithin'>,
    private readonly ahead: ReadAhead,
    private readonly context: Pick<ReaderContext, 'nowMs'>,
    private readonly filesBefore = FILES_BEFORE,
    private readonly patienceMs = PATIENCE_MS,
  ) {}

  /** See `EntryStore.add`; `stat` is the caller's again. */
  add(path: ByteString, stat: FileStat, folder: OpenFolder | undefined): void {
    if (stat.type === 'f') this.#files += 1;
    const isAhead = this.#files > this.filesBefore && !this.#gaveUp;
    if (!isAhead && this.#queue.length === 0) {
      this.store.add(path, stat, folder);
      return;
    }
    const batch = isAhead && isWorthIt(stat) ? this.#batchFor(stat) : undefined;
    batch?.add(wayTo(path, folder), stat);
    const seenMs = this.context.nowMs;
    this.#queue.push({ path, stat: { ...stat }, folder: folder?.keep(), batch, seenMs });
    if (this.#queue.length >= ENTRIES_MAX) this.#storeNext();
    while (this.#queue.length > 0 && openFolderCount() > OPEN_FOLDERS_MAX) this.#storeNext();
  }

  keepWithin(path: ByteString): void {
    this.finish();
    this.store.keepWithin(path);
  }

  /** Stores what waits. */
  finish(): void {
    while (this.#queue.length > 0) this.#storeNext();
  }

  /** Undefined where it was given up meanwhile. */
  #batchFor(stat: FileStat): AheadBatch | undefined {
    if (this.#filling?.hasRoomFor(stat) === false) this.#start();
    while (!this.#filling && this.#underWay >= BATCHES_MAX && !this.#gaveUp) this.#storeNext();
    if (this.#gaveUp) return undefined;
    return (this.#filling ??= new AheadBatch(
      SPARE.pop() ?? makeBatchMemory(BATCH_FILES_MAX, BATCH_BYTES_MAX),
    ));
  }

  #start(): void {
    this.ahead.start(this.#filling!.job);
    this.#underWay += 1;
    this.#filling = undefined;
  }

  #storeNext(): void {
    const entry = this.#queue.shift()!;
    this.#store(entry);
    entry.folder?.letGo();
  }

  #store({ path, stat, folder, batch, seenMs }: Entry): void {
    if (!batch || !this.#isRead(batch)) {
      this.store.add(path, stat, folder);
      return;
    }
    const content = batch.take();
    this.store.add(path, stat, folder, content && { content, readMs: seenMs });
    if (!batch.isOver) return;
    this.#underWay -= 1;
    SPARE.push(batch.memory);
  }

  #isRead(batch: AheadBatch): boolean {
    if (this.#gaveUp) return false;
    if (batch === this.#filling) this.#start();
    if (batch.wait(this.patienceMs)) return true;
    this.#gaveUp = true;
    this.ahead.giveUp();
    return false;
  }
}

function isWorthIt(stat: FileStat): boolean {
  return stat.type === 'f' && stat.links === 1 && isSmall(stat);
}
