import { rm } from 'node:fs/promises';

import type { ByteString } from '#archive/path-text.js';
import type { ImageKind } from '#contracts/names.js';

import { checkFragmentBytesMax } from '../domain/fragment-room.js';
import { HARD_LINKS_TRACKED_MAX } from '../domain/hard-links.js';
import { DamagedListing } from '../domain/listing-merge.js';
import { NOTES_MAX, Notes, type Note, type NoteSummary } from '../domain/notes.js';

import { ArchiveStream } from './archive-stream.js';
import { RING_DEFAULT, RingEmptier, createRing, type RingSize } from './buffer-ring.js';
import type { FrameMaker, MadeFrame } from '#archive/frames/frame-maker.js';
import { rawFrameBytes } from '#archive/frames/raw-frame.js';
import { STATUS } from '#kernel/status.js';
import { unpacked } from './chunks/chunk-cutter.js';
import { knownCutsPath } from './chunks/known-cuts-file.js';
import type { ResumeAt } from './checkpoint-file.js';
import type { FragmentSink } from './fragment-sink.js';
import { startImage, type ImageStart } from './image-start.js';
import { checkpointPath, discardListing } from './listing-file.js';
import type { ReaderMessage, ReaderTotals } from './reader-messages.js';
import { ReaderThread } from './reader-thread.js';
import type { WorkerPool } from './worker-pool.js';

/** A chunk may begin and end in the midst of one each; and the reader and this side want one at hand. */
const BUFFERS_NOT_HELD = 4;

export interface BackupProgress {
  readonly files: number;
  readonly bytes: number;
  /** Path text of what is being read. */
  readonly path: string;
  readonly waits: BufferWaits;
}

/** How often a side of the buffer ring had to wait: many `forEmpty`: the network or the media server is slow. */
export interface BufferWaits {
  readonly forEmpty: number;
  readonly forFull: number;
}

export interface BackupOptions {
  /** Absolute paths as byte strings; a slash at the end follows a symlink. */
  readonly selections: readonly ByteString[];
  /** See `excludeTest`. */
  readonly excludes: readonly string[];
  readonly crossMountPoints: boolean;
  readonly kind: ImageKind;
  /** The listing of the base image; without it an incremental becomes a full. */
  readonly baseListingPath?: string | undefined;
  /** Where the new listing goes; `commitListing(newListingPath)` puts it there. */
  readonly newListingPath: string;
  /** Behind which fragment to go on with an image that was begun; undefined: from the beginning. */
  readonly resume?: ResumeAt | undefined;
  /** Makes the frames, and takes their digests. */
  readonly frames: FrameMaker;
  readonly ring?: RingSize | undefined;
  readonly hardLinksTrackedMax?: number | undefined;
  /** Files that are read before another thread reads ahead; default 2,000. */
  readonly readAheadAfter?: number | undefined;
  readonly sink: FragmentSink;
  /** At most every 500 ms. */
  readonly onProgress?: ((progress: BackupProgress) => void) | undefined;
  /** Each note as it comes, as far as its text is kept. */
  readonly onNote?: ((note: Note) => void) | undefined;
  /** Once, however it ends. */
  readonly onWaits?: ((waits: BufferWaits) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Whose thread reads, if not one of the compiled code. */
  readonly readers?: WorkerPool | undefined;
}

export interface BackupResult {
  /** 0, 1 (partial: there is a warning) or 71 (no selection exists; nothing was sent). */
  readonly status: number;
  /** What it became. */
  readonly kind: ImageKind;
  /** Entries in the archive. */
  readonly files: number;
  /** Bytes of their content. */
  readonly bytes: number;
  readonly storedBytes: number;
  readonly fragments: number;
  readonly notes: NoteSummary;
  readonly waits: BufferWaits;
}

/**
 * Backs up a client into a sink. When it resolves with 0 or 1 the sink has finished, and the new listing is written
 * but not yet in its place. When it rejects (the sink failed, `signal` fired, a bug) the part of the
 * listing and the checkpoints stay, so that another call can go on (`resume`) behind any fragment that
 * was sealed, or begin again. What it goes on with is the same archive: files in front of that place
 * are not looked at again, and one that lies across it is taken as if it had been open all the time.
 * @throws InvalidInput for a selection that is not absolute; DamagedListing after it has removed that
 * listing; CannotResume, which nothing but a new image helps
 */
export async function runBackup(options: BackupOptions): Promise<BackupResult> {
  const size = ringFor(options.sink, options.ring);
  checkFragmentBytesMax(options.sink.fragmentBytesMax, size.bufferBytes);
  options.signal?.throwIfAborted();
  const start = await startImage(options);
  const run = new BackupRun(options, size, start);
  const onAbort = () => run.fail(abortReason(options.signal));
  options.signal?.addEventListener('abort', onAbort, { once: true });
  try {
    if (options.signal?.aborted) onAbort();
    const result = await run.toEnd();
    if (result.status === STATUS.noSuchFiles) await discardListing(options.newListingPath);
    return result;
  } catch (error) {
    if (error instanceof DamagedListing && options.baseListingPath !== undefined) {
      await rm(options.baseListingPath, { force: true });
    }
    throw error;
  } finally {
    options.signal?.removeEventListener('abort', onAbort);
    await start.checkpoints.close();
  }
}

type FullBuffer = Extract<ReaderMessage, { type: 'frame' }>;

/** One backup while it runs: the reading thread, the ring and the stream of fragments. */
class BackupRun {
  readonly #notes: Notes;
  readonly #emptier: RingEmptier;
  readonly #reader: ReaderThread;
  readonly #stream: ArchiveStream;
  /** Frames of buffers that are full, by slot, while they are made and wait for their turn. */
  readonly #making = new Map<number, Promise<MadeFrame>>();
  /** Of fragments that were cut into chunks, in order. */
  readonly #dataDigests: Promise<string>[] = [];
  readonly #failed: Promise<never>;
  #fail: (reason: Error) => void = () => undefined;

  constructor(
    private readonly options: BackupOptions,
    size: RingSize,
    private readonly start: ImageStart,
  ) {
    const { goOn, checkpoints, baseListingPath } = start;
    this.#notes = new Notes(NOTES_MAX, goOn?.state.notes);
    const done = goOn && { fragments: goOn.nextNumber - 1, archiveBytes: goOn.archiveOffset };
    const { sink } = options;
    const frameBytes = size.bufferBytes;
    const { fragmentBytesMax, chunking } = sink;
    const bufferBytes = chunking ? rawFrameBytes(frameBytes) : frameBytes;
    const ring = createRing({ ...size, bufferBytes });
    this.#emptier = new RingEmptier(ring);
    this.#stream = new ArchiveStream({ sink, checkpoints, frameBytes, ...(done && { done }) });
    this.#failed = new Promise((_, reject) => (this.#fail = reject));
    this.#failed.catch(() => undefined);
    if (!goOn) this.#noteLostBase();
    this.#reader = new ReaderThread(
      {
        ring,
        chunking: chunking && {
          ...{ frameBytes, fragmentBytesMax, start: chunking.start },
          nextFragment: goOn?.nextNumber ?? 1,
          knownCutsPath: knownCutsPath(options.newListingPath),
        },
        selections: options.selections,
        excludes: options.excludes,
        crossMountPoints: options.crossMountPoints,
        baseListingPath,
        newListingPath: options.newListingPath,
        checkpointPath: checkpointPath(options.newListingPath),
        goOn: goOn?.state,
        readAheadAfter: options.readAheadAfter,
        hardLinksTrackedMax: options.hardLinksTrackedMax ?? HARD_LINKS_TRACKED_MAX,
      },
      {
        onNote: (note) => this.#note(note),
        onProgress: (progress) => options.onProgress?.({ ...progress, waits: this.#waits }),
        onFrame: (frame) => this.#make(frame),
        onFragment: () => this.#endData(),
      },
      options.readers,
    );
  }

  /** Ends the backup with this error, whatever it is waiting for. */
  fail(reason: Error): void {
    this.#fail(reason);
    this.#reader.fail(reason);
  }

  async toEnd(): Promise<BackupResult> {
    try {
      return await Promise.race([this.#consume(), this.#failed]);
    } catch (error) {
      this.fail(error instanceof Error ? error : new Error(String(error)));
      throw error;
    } finally {
      this.#emptier.stop();
      await this.#reader.end();
      this.options.onWaits?.(this.#waits);
    }
  }

  async #consume(): Promise<BackupResult> {
    for (;;) {
      const item = await this.#reader.next();
      if (item.type === 'end') return await this.#end(item.totals);
      if (item.type === 'index') {
        await this.#stream.index(item.text);
        this.#emptier.releaseIndexText();
      } else if (item.type === 'fragment') {
        const dataDigest = await this.#dataDigests.shift()!;
        await this.options.sink.endChunks?.({ chunks: unpacked(item), dataDigest });
      } else {
        await this.#stream.frame({
          ...(await this.#made(item.slot)),
          archiveLength: item.length,
          chunks: item.chunks && unpacked(item.chunks),
          gone: () => this.#emptier.release(item.slot),
          index: item.index,
          pending: item.pending,
          state: item.state,
          links: item.links,
        });
      }
    }
  }

  async #end(totals: ReaderTotals): Promise<BackupResult> {
    const { files, bytes, found } = totals;
    const { kind } = this.start;
    if (found) await this.#stream.finish({ files, bytes, kind });
    const notes = this.#summary(totals);
    return {
      status: !found ? STATUS.noSuchFiles : notes.warnings > 0 ? STATUS.partial : STATUS.ok,
      kind,
      files,
      bytes,
      storedBytes: this.#stream.storedBytes,
      fragments: this.#stream.fragments,
      notes,
      waits: this.#waits,
    };
  }

  #make({ slot, made, chunks, length }: FullBuffer): void {
    if (made) this.#emptier.adopt(slot, made);
    const { frames } = this.options;
    const buffer = this.#emptier.buffer(slot);
    const frame = chunks ? frames.raw(buffer, length) : frames.make(buffer, length);
    frame.catch(() => undefined); // whoever takes the frame in its turn gets the error
    this.#making.set(slot, frame);
  }

  #endData(): void {
    const digest = this.options.frames.endData();
    digest.catch(() => undefined); // as above
    this.#dataDigests.push(digest);
  }

  #made(slot: number): Promise<MadeFrame> {
    const making = this.#making.get(slot)!;
    this.#making.delete(slot);
    return making;
  }

  #noteLostBase(): void {
    if (this.start.kind === this.options.kind) return;
    this.#note({
      level: 'info',
      text: 'The listing of the base image is not here any more: this backup is a full one.',
    });
  }

  #note(note: Note): void {
    if (this.#notes.add(note)) this.options.onNote?.(note);
  }

  /** The reading thread counts all of its notes, and has sent the texts of the first ones. */
  #summary(totals: ReaderTotals): NoteSummary {
    const { texts } = this.#notes.summary();
    const own = this.start.kind === this.options.kind ? 0 : 1;
    return { ...totals.notes, texts, infos: totals.notes.infos + own };
  }

  get #waits(): BufferWaits {
    return { forEmpty: this.#emptier.waitsForEmpty, forFull: this.#reader.waits };
  }
}

/** What a backup makes of a ring that was asked for: where it is cut into chunks, a buffer for each frame that the sink keeps, and more. */
export function ringFor({ chunking }: FragmentSink, ring: RingSize = RING_DEFAULT): RingSize {
  if (!chunking) return ring;
  const held = Math.ceil(chunking.heldBytesMax / chunking.frameBytes);
  const buffers = Math.max(ring.buffers, held + BUFFERS_NOT_HELD);
  return { buffers, bufferBytes: chunking.frameBytes };
}

function abortReason(signal: AbortSignal | undefined): Error {
  const reason: unknown = signal?.reason;
  return reason instanceof Error ? reason : new Error('The backup was stopped');
}
