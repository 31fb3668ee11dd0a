import { Injectable } from '@nestjs/common';
import type { FrameMaker } from '#archive/frames/frame-maker.js';
import { fromPathText } from '#archive/path-text.js';
import type { TaskResult } from '#contracts/job.js';
import type { AgentTask } from '#contracts/task.js';
import { Clock } from '#kernel/clock.js';
import { STATUS } from '#kernel/status.js';
import type { JobReporter } from '#messaging/job-reporter.js';
import { FragmentWriterClient } from '#transfer/fragment-writer-client.js';
import { CannotResume } from './backup/checkpoint-file.js';
import { ChunkSink } from './backup/chunks/chunk-sink.js';
import { FrameThread } from './backup/encoding/frame-thread.js';
import type { FragmentSink } from './backup/fragment-sink.js';
import {
  ringFor,
  runBackup,
  type BackupProgress,
  type BackupResult,
  type BufferWaits,
} from './backup/run-backup.js';
import { AgentConfig } from './config.js';
import type { Note } from './domain/notes.js';
import { BackupHooks, HookFailed } from './hooks/backup-hooks.js';
import { leftOut } from './left-out.js';
import { ListingStore } from './listing-store.js';

type Task = Extract<AgentTask, { type: 'backup' }>;

interface Use {
  readonly writer: FragmentWriterClient;
  readonly reporter: JobReporter;
  readonly signal: AbortSignal;
}

/** Level 1 is as fast as the network, and deeper levels gain little on files. */
const COMPRESSION_LEVEL_DEFAULT = 1;

const FROM_THE_BEGINNING = { nextNumber: 1, archiveOffset: 0 };

/**
 * A backup, as the agent's part of a job. What an attempt that failed leaves behind is kept, so that
 * the next one can go on with the image.
 */
@Injectable()
export class BackupTask {
  private readonly listings: ListingStore;
  /** By image: it has one listing and one checkpoint file, so its attempts come one after the other. */
  private readonly running = new Map<string, Promise<unknown>>();

  constructor(
    private readonly config: AgentConfig,
    private readonly hooks: BackupHooks,
    private readonly clock: Clock,
  ) {
    this.listings = new ListingStore(config.folder);
  }

  /** @throws CannotResume when only a new image can be made */
  async run(task: Task, reporter: JobReporter, signal: AbortSignal): Promise<TaskResult> {
    const before = this.running.get(task.imageId);
    const own = (async () => {
      await before?.catch(() => undefined); // it has reported that itself
      return this.attempt(task, reporter, signal);
    })();
    this.running.set(task.imageId, own);
    try {
      return await own;
    } finally {
      if (this.running.get(task.imageId) === own) this.running.delete(task.imageId);
    }
  }

  private async attempt(
    task: Task,
    reporter: JobReporter,
    signal: AbortSignal,
  ): Promise<TaskResult> {
    signal.throwIfAborted();
    const { keepListings: kept } = task;
    const now = this.clock.now();
    this.listings.use(task.policy, now);
    if (kept) {
      this.listings.clearUp(task.policy, [...this.running.keys(), ...kept]);
      this.listings.dropUnused(now);
    }
    const writer = await FragmentWriterClient.connect({
      ...task.address,
      token: task.token,
      signal,
    });
    const cut = () => writer.close();
    signal.addEventListener('abort', cut, { once: true });
    try {
      checkPlace(task, writer);
      const use = { writer, reporter, signal };
      return await this.hooks.around({ task, reporter, signal }, () => this.send(task, use));
    } catch (error) {
      if (error instanceof HookFailed) writer.abort(error.status, error.message);
      else hangUp(writer, error);
      throw error;
    } finally {
      signal.removeEventListener('abort', cut);
    }
  }

  /** Between the hooks. The connection does not wait for the one that comes after it. */
  private async send(task: Task, use: Use): Promise<TaskResult> {
    const { writer, reporter } = use;
    try {
      const result = await this.backUp(task, use);
      if (result.status > STATUS.partial) writer.abort(result.status, messageFor(task, result));
      else await this.listings.keep(task.policy, task.imageId, task.keepListings);
      reporter.progress(progressOf({ ...result, path: '' }));
      return { ...totalsOf(result), message: messageFor(task, result) };
    } catch (error) {
      hangUp(writer, error);
      throw error;
    }
  }

  private async backUp(task: Task, use: Use): Promise<BackupResult> {
    const frames = new FrameThread(task.compressionLevel ?? COMPRESSION_LEVEL_DEFAULT);
    try {
      return await this.backUpWith(frames, task, use);
    } finally {
      frames.end();
    }
  }

  private async backUpWith(frames: FrameMaker, task: Task, use: Use): Promise<BackupResult> {
    const listed = task.baseListing ?? task.baseImageId;
    const base = listed && this.listings.find(task.policy, listed);
    const sink = sinkFor(use.writer, frames);
    const ring = ringFor(sink, this.config.ring);
    use.reporter.log('info', `using ${ring.buffers} data buffers of ${ring.bufferBytes} bytes`);
    return runBackup({
      selections: task.selections.map(fromPathText),
      excludes: [...task.excludes, ...leftOut(this.config.leaveOut)],
      crossMountPoints: task.crossMountPoints,
      kind: task.kind,
      baseListingPath: base ?? undefined,
      newListingPath: this.listings.pathFor(task.policy, task.imageId),
      resume: task.resume ?? undefined,
      frames,
      ring,
      sink,
      onProgress: (progress) => use.reporter.progress(progressOf(progress)),
      onNote: (note) => logNote(use.reporter, note),
      onWaits: (waits) => logWaits(use.reporter, waits),
      signal: use.signal,
    });
  }
}

/** As frames, or where the volume deduplicates as chunks. */
function sinkFor(writer: FragmentWriterClient, frames: FrameMaker): FragmentSink {
  const { chunks } = writer.ready;
  return chunks ? new ChunkSink(writer, chunks, frames) : writer;
}

/**
 * Were it cut when the image cannot be gone on with, the media server's report of that might be heard before the
 * agent's, which alone says what to do. The job manager ends the attempt, and with it the connection.
 */
function hangUp(writer: FragmentWriterClient, error: unknown): void {
  if (!(error instanceof CannotResume)) writer.close();
}

/** Agent and media server were told the same by the job manager, or one of them is behind. */
function checkPlace(task: Task, { ready }: FragmentWriterClient): void {
  const { nextNumber, archiveOffset } = task.resume ?? FROM_THE_BEGINNING;
  if (ready.nextFragment === nextNumber && ready.archiveOffset === archiveOffset) return;
  throw new CannotResume(
    `the media server expects fragment ${ready.nextFragment} at byte ${ready.archiveOffset}, ` +
      `the job goes on with fragment ${nextNumber} at byte ${archiveOffset}.`,
  );
}

function logNote(reporter: JobReporter, { level, text }: Note): void {
  reporter.log(level, text);
}

function logWaits(reporter: JobReporter, { forEmpty, forFull }: BufferWaits): void {
  reporter.log(
    'info',
    `waited for empty buffer ${forEmpty} times, for full buffer ${forFull} times`,
  );
}

function progressOf({ files, bytes, path, waits }: BackupProgress) {
  return {
    files,
    bytes,
    currentPath: path,
    waitedForEmpty: waits.forEmpty,
    waitedForFull: waits.forFull,
  };
}

function totalsOf({ status, kind, fragments, files, bytes }: BackupResult) {
  return { status, kind, fragments, files, bytes };
}

function messageFor(task: Task, { status, notes }: BackupResult): string {
  if (status === STATUS.noSuchFiles) {
    return `None of these exist on the client: ${task.selections.join(', ')}`;
  }
  const more = notes.untold > 0 ? ` (${notes.untold} more are not in the log)` : '';
  return notes.warnings > 0 ? `${notes.warnings} warnings; see the job's log${more}` : '';
}
