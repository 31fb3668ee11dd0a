import type { ArchiveEntry } from '#archive/archive-entry.js';
import { isWithin } from '#archive/archive-order.js';
import { LINKED_FILES_MAX } from '#archive/chain/index-merge.js';
import type { ArchiveEvent } from '#archive/pax-reader.js';
import { codeOf } from '#kernel/errors.js';
import type { BytePath } from '../../posix/byte-path.js';
import type { LoadedFrame } from '../frame-loader.js';
import { RestoreNotes } from '../restore-notes.js';
import { linkKey, type PlannedEntry } from '../restore-plan.js';
import type { BesideThread } from '../beside/beside-thread.js';
import { FilesBeside, type FileBeside } from '../beside/files-beside.js';
import { FileMaker } from './file-maker.js';
import { FolderStack, type Level } from './folder-stack.js';
import { ExtraFrames, ImageFeed, type ByteSource } from './image-feed.js';
import { metadataOf, MetadataWriter } from './metadata.js';
import { hopeless, isSafePath, LeftAlone, NotRestored, reasonOf, shown } from './not-restored.js';
import { unpackAll } from './unpack.js';
import type { FromWriter, ToWriter, WriterCounts, WriterOptions } from './writer-messages.js';

/** A report at least every so many entries, so that whoever plans can go on. */
const ENTRIES_PER_REPORT = 256;

/** Work that pauses where it needs entries or frames that have not come. Nothing else can make a writer wait. */
type Waiting = Generator<void, void, undefined>;

/** An entry to be made at `planned.path`. */
interface ToRestore {
  readonly planned: PlannedEntry;
  /** Where and under which path it was stored. */
  readonly place: Pick<PlannedEntry, 'offset' | 'length' | 'path'>;
  /** No link will be made to it. */
  readonly isAlone: boolean;
}

/**
 * Writes entries below the destination, in the order in which they were planned, from frames as they come. All system calls
 * are synchronous (for small files several times as fast as promises), so it belongs into a thread of its own;
 * another one may make small files beside it, of which each is counted before it is there. It never throws:
 * what goes wrong becomes a note, or the reason in `finished`.
 */
export class RestoreWriter {
  readonly #notes = new RestoreNotes();
  readonly #metadata = new MetadataWriter(this.#notes);
  readonly #folders: FolderStack;
  readonly #files: FileMaker;
  readonly #beside: FilesBeside;
  readonly #feeds: ImageFeed[];
  readonly #extra = new ExtraFrames();
  /** Where the data of linked files was restored, by `linkKey`. */
  readonly #restoredAt = new Map<string, BytePath>();
  readonly #queue: { entry: PlannedEntry; linked: boolean }[][] = [];
  readonly #work: Waiting;
  readonly #turns = new Map<number, Promise<void>>();
  #restored = 0;
  #failed = 0;
  #leftAlone = 0;
  #entriesDone = 0;
  #ended = false;
  #stopped = false;
  #finished = false;
  #gaveUp: string | undefined;
  /** A folder that could not be made: what lies below it is counted, not listed. */
  #blocked: { path: BytePath; below: number } | undefined;

  /** @throws the system's error if the destination cannot be made or opened. */
  constructor(
    options: WriterOptions,
    private readonly post: (message: FromWriter) => void,
    beside?: (onDone: () => void) => BesideThread,
  ) {
    this.#folders = new FolderStack(options, this.#metadata, this.#notes);
    this.#files = new FileMaker(this.#metadata, options.overwrite);
    this.#beside = new FilesBeside(
      beside?.(() => this.#goOn()),
      {
        again: (file, content) => this.#makeAgain(file, content),
        release: (level) => this.#folders.release(level),
      },
    );
    this.#feeds = Array.from({ length: options.images }, () => new ImageFeed());
    this.#work = this.#entries();
  }

  handle(message: ToWriter): void {
    if (this.#finished) return;
    if (message.kind === 'entries') {
      const { entries, linked } = message;
      this.#queue.push(entries.map((entry, i) => ({ entry, linked: linked[i] === true })));
    } else if (message.kind === 'frames') this.#receive(message.image, message.frames);
    else if (message.kind === 'frames-end') {
      const { image } = message;
      this.#inTurn(image, Promise.resolve(), () => this.#feeds[image]?.end());
    } else if (message.kind === 'extra') {
      const { image } = message;
      const [frame] = unpackAll([message.frame]);
      this.#inTurn(image, frame!, (unpacked) => this.#extra.push(image, unpacked));
    } else if (message.kind === 'end') this.#ended = true;
    else this.#stopped = true;
    this.#go();
  }

  #receive(image: number, frames: readonly LoadedFrame[]): void {
    for (const frame of unpackAll(frames)) {
      this.#inTurn(image, frame, (unpacked) => this.#feeds[image]?.push(unpacked));
    }
  }

  /** Frames of an image go on in the order in which they came, however long each takes to unpack. */
  #inTurn<T>(image: number, coming: Promise<T>, use: (value: T) => void): void {
    const before = this.#turns.get(image);
    const turn = Promise.all([coming, before]).then(([value]) => {
      if (this.#finished) return;
      use(value);
      this.#go();
    });
    this.#turns.set(image, turn);
  }

  get #counts(): WriterCounts {
    return {
      files: this.#restored,
      bytes: this.#files.bytesWritten + this.#beside.bytesWritten,
      failed: this.#failed,
      leftAlone: this.#leftAlone,
    };
  }

  #goOn(): void {
    if (!this.#finished) this.#go();
  }

  #go(): void {
    if (!this.#stopped && this.#work.next().done !== true) {
      this.#report();
      return;
    }
    this.#abandonFile();
    this.#endBeside();
    if (this.#beside.isBusy) return;
    this.#finished = true;
    this.#endBlocked();
    this.#folders.finish();
    const counts = this.#counts;
    const finished = { kind: 'finished', counts, notes: this.#notes.takeAll() } as const;
    this.post(this.#gaveUp === undefined ? finished : { ...finished, gaveUp: this.#gaveUp });
  }

  #report(): void {
    const released = this.#feeds.map((feed) => feed.takeReleased());
    const entriesDone = this.#entriesDone;
    this.#entriesDone = 0;
    const notes = this.#notes.take();
    if (entriesDone === 0 && notes.length === 0 && released.every((frames) => frames === 0)) return;
    this.post({ kind: 'report', counts: this.#counts, entriesDone, released, notes });
  }

  #endBeside(): void {
    this.#beside.flush();
    this.#beside.collect();
  }

  /** All entries one after the other; pauses where frames or entries are missing. */
  *#entries(): Waiting {
    for (;;) {
      const batch = this.#queue.shift();
      if (batch === undefined) {
        if (this.#ended) return;
        yield;
        continue;
      }
      for (const { entry, linked } of batch) {
        yield* this.#restore(entry, linked);
        if (this.#gaveUp !== undefined) return;
        if (++this.#entriesDone >= ENTRIES_PER_REPORT) this.#report();
      }
    }
  }

  *#restore(entry: PlannedEntry, linked: boolean): Waiting {
    if (entry.kind === 'parent') {
      this.#folders.announceParent(metadataOf(entry));
      return;
    }
    try {
      if (this.#isBlocked(entry.path)) return;
      if (!isSafePath(entry.path)) {
        throw new NotRestored('its path would lead out of the destination');
      }
      if (entry.kind === 'link') yield* this.#restoreLink(entry);
      else {
        const feed = this.#feeds[entry.image]!;
        yield* this.#restoreFrom(feed, { place: entry, planned: entry, isAlone: !linked });
        if (linked) this.#rememberLink(linkKey(entry.image, entry.offset), entry.path);
      }
      this.#restored++;
    } catch (error) {
      this.#fail(entry, error);
    } finally {
      this.#feeds[entry.image]?.pass(entry.offset + entry.length);
    }
  }

  /** Links to where the data was restored; else restores the data here, and further links come here. */
  *#restoreLink(entry: PlannedEntry): Waiting {
    const key = linkKey(entry.image, entry.dataOffset);
    const there = this.#restoredAt.get(key);
    if (there !== undefined && this.#link(entry.path, there)) return;
    const source = this.#extra.of(entry.image, (offset) =>
      this.post({ kind: 'fetch', image: entry.image, offset }),
    );
    const place = { offset: entry.dataOffset, length: entry.dataLength, path: entry.target };
    yield* this.#restoreFrom(source, { place, planned: entry, isAlone: false });
    this.#rememberLink(key, entry.path);
  }

  /** False when this file system cannot hold this link. */
  #link(path: BytePath, target: BytePath): boolean {
    const level = this.#folders.enterFolderOf(path);
    const nameOf = (whole: BytePath): string => whole.slice(whole.lastIndexOf('/') + 1);
    try {
      this.#folders.withFolderOf(target, (base) =>
        this.#files.link(level, nameOf(path), `${base}${nameOf(target)}`),
      );
      return true;
    } catch (error) {
      if (!['EMLINK', 'EXDEV', 'EPERM', 'ENOENT', 'ENOTSUP'].includes(codeOf(error) ?? ''))
        throw error;
      this.#notes.addOnce('link', {
        text: `Hard links cannot be made everywhere (${reasonOf(error)}); the first, ${shown(path)}, is a file of its own.`,
        lost: true,
      });
      return false;
    }
  }

  #rememberLink(key: string, path: BytePath): void {
    if (this.#restoredAt.size < LINKED_FILES_MAX) this.#restoredAt.set(key, path);
  }

  /** Reads one entry of an archive and makes it. */
  *#restoreFrom(source: ByteSource, what: ToRestore): Waiting {
    const { place } = what;
    const end = place.offset + place.length;
    if (!(place.length > 0)) throw new NotRestored('the index gives it no place in the archive');
    const reader = source.readerAt(place.offset);
    let done = false;
    for (let at = place.offset; at < end;) {
      let frame = source.frameAt(at);
      while (frame === undefined) {
        yield;
        frame = source.frameAt(at);
      }
      if (frame.bytes === undefined) throw new NotRestored(frame.damage ?? 'a frame is damaged');
      const bytes = viewOf(frame.bytes, at - frame.archiveOffset, end - frame.archiveOffset);
      const isAll = bytes.length === place.length;
      for (const event of reader.push(bytes)) done = this.#take(event, isAll, what) || done;
      at += bytes.length;
    }
    if (!done) throw new NotRestored('index and archive do not agree on its length');
    source.keepReader(reader, end);
  }

  #entry: ArchiveEntry | undefined;
  #level: Level | undefined;

  /**
   * One step of an entry. True when it is complete.
   * @param isAll the entry comes in one piece
   */
  #take(event: ArchiveEvent, isAll: boolean, { place, planned, isAlone }: ToRestore): boolean {
    const name = planned.path.slice(planned.path.lastIndexOf('/') + 1);
    if (event.kind === 'entry') {
      const { entry } = event;
      // What a link leads to is no folder; and only the link's own path was looked at.
      const sameKind = planned.kind === 'link' ? entry.type !== 'd' : entry.type === planned.type;
      if (entry.path !== place.path || !sameKind || entry.type === 'h') {
        throw new NotRestored('index and archive do not agree on what it is');
      }
      this.#entry = entry;
      if (entry.type === 'd') return false;
      const level = this.#folders.enterFolderOf(planned.path);
      this.#level = level;
      if (entry.type !== 'f') return false;
      const isSimple = isAll && isAlone && this.#metadata.isTimeAlone(entry, level);
      if (isSimple && this.#beside.begin({ planned, entry, name, level })) return false;
      this.#files.begin(level, name, entry);
    } else if (event.kind === 'data') {
      if (this.#beside.write(event.bytes)) return false;
      this.#files.write(event.bytes, event.offset);
    } else if (event.kind === 'done') {
      const entry = this.#entry!;
      this.#entry = undefined;
      if (entry.type === 'd') this.#folders.makeFolder(entry);
      else if (entry.type === 'f') {
        if (!this.#beside.finish()) this.#files.finish();
      } else this.#files.make(this.#level!, name, entry);
      return true;
    }
    return false;
  }

  /** What the thread beside could not make. It was counted as restored. */
  #makeAgain({ planned, level, name, entry }: FileBeside, content: Buffer): void {
    try {
      this.#files.begin(level, name, entry);
      this.#files.write(content, 0);
      this.#files.finish();
    } catch (error) {
      this.#restored--;
      this.#fail(planned, error);
    }
  }

  #fail(planned: PlannedEntry, error: unknown): void {
    this.#abandonFile();
    this.#gaveUp ??= hopeless(error);
    const text = `${shown(planned.path)}: not restored: ${reasonOf(error)}.`;
    if (error instanceof LeftAlone) this.#leftAlone++;
    else this.#failed++;
    this.#notes.add({ text, lost: true });
    if (planned.type !== 'd' || planned.path === '') return;
    // What its index says is good enough, where something below it can be restored.
    if (isDamage(error)) this.#folders.announceParent(metadataOf(planned));
    else this.#blocked = { path: planned.path, below: 0 };
  }

  #abandonFile(): void {
    this.#beside.abandon();
    try {
      this.#files.abandon();
    } catch (error) {
      const text = `An unfinished file could not be removed: ${reasonOf(error)}.`;
      this.#notes.add({ text, lost: true });
    }
  }

  #isBlocked(path: BytePath): boolean {
    if (this.#blocked === undefined) return false;
    if (isWithin(path, this.#blocked.path)) {
      this.#blocked.below++;
      this.#failed++;
      return true;
    }
    this.#endBlocked();
    return false;
  }

  #endBlocked(): void {
    const blocked = this.#blocked;
    this.#blocked = undefined;
    if (blocked === undefined || blocked.below === 0) return;
    const text = `${shown(blocked.path)}: ${blocked.below} entries below it are not restored.`;
    this.#notes.add({ text, lost: true });
  }
}

/** A folder whose entry is lost can still be made on the way; one that is in the way cannot. */
function isDamage(error: unknown): boolean {
  return error instanceof NotRestored && !(error instanceof LeftAlone);
}

function viewOf(bytes: Uint8Array, from: number, to: number): Buffer {
  const end = Math.min(to, bytes.length);
  return Buffer.from(bytes.buffer as ArrayBuffer, bytes.byteOffset + from, end - from);
}
