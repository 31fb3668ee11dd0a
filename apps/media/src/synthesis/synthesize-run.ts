import type { FragmentView } from '#contracts/image.js';
import type { JobProgress, TaskResult } from '#contracts/job.js';
import type { MediaTask } from '#contracts/task.js';
import { FrameEncoder } from '#archive/frames/frame-encoder.js';
import { FramesHere } from '#archive/frames/frame-maker.js';
import { toPathText } from '#archive/path-text.js';
import type { Clock } from '#kernel/clock.js';
import { messageOf } from '#kernel/errors.js';
import { STATUS } from '#kernel/status.js';
import type { CommitOffers } from '../commits/commit-offers.js';
import { noCrash, type CrashPoint } from '../crash-point.js';
import { clockTime } from '../domain/clock-time.js';
import { refusal } from '../domain/refusal.js';
import type { NumberSources } from '../duplication/duplicate-run.js';
import { DuplicateSources } from '../duplication/duplicate-sources.js';
import { RunControl } from '../duplication/run-control.js';
import { Suspects, type SuspectsCatalog } from '../duplication/suspects.js';
import { ChunkReceiver, dedupText } from '../sessions/chunk-receiver.js';
import { failureOf } from '../sessions/session-end.js';
import type { Volumes } from '../volumes/volumes.js';
import { ChainCopier, type CopyTotals } from './chain-copier.js';
import { ChainImage } from './chain-image.js';
import { RAW_FRAMES } from './chunked-fragment.js';
import { SynthesisTarget } from './synthesis-target.js';
import { SyntheticArchive } from './synthetic-archive.js';

export type SynthesizeTask = Extract<MediaTask, { type: 'synthesize' }>;

/** What the catalog is asked. Throws `Unavailable` when it does not answer. */
export interface ChainCatalog extends SuspectsCatalog {
  /** The next numbers of an image, behind `afterNumber`, with where each can be read. */
  fragments(imageId: string, afterNumber: number): Promise<readonly NumberSources[]>;
}

export interface SynthesizeRunOptions {
  readonly task: SynthesizeTask;
  readonly mediaId: string;
  readonly volumes: Volumes;
  readonly offers: Pick<CommitOffers, 'add' | 'verdict'>;
  readonly catalog: ChainCatalog;
  readonly clock: Clock;
  readonly log: (severity: 'info' | 'warning' | 'error', text: string) => void;
  readonly onProgress: (progress: Partial<JobProgress>) => void;
  readonly crashPoint?: CrashPoint;
  /** For tests: how long a connection to a source may take. */
  readonly patienceMs?: number;
}

/**
 * One attempt to make a full out of a full and its incrementals. It promises:
 *
 * - The images that it reads are read and nothing else; no failure removes anything anywhere.
 * - What comes out holds what a restore of the newest of them would write, or nothing does: what no copy can
 *   give ends the attempt.
 * - What is sealed is offered and stays, however the attempt ends; the next one goes on behind what is committed.
 */
export class SynthesizeRun {
  private readonly control = new RunControl();
  private readonly sources: DuplicateSources;
  private readonly suspects: Suspects;
  private progressed: Partial<JobProgress> = {};

  constructor(private readonly options: SynthesizeRunOptions) {
    const { mediaId, volumes: places, task, patienceMs, catalog, log } = options;
    const given = { mediaId, places, servers: task.sources, signal: this.control.signal };
    this.sources = new DuplicateSources({ ...given, ...(patienceMs && { patienceMs }) });
    this.suspects = new Suspects(catalog, log);
  }

  /** Never throws: the result says what happened. Status 0: every fragment of the image is committed. */
  async run(): Promise<TaskResult> {
    try {
      return await this.work();
    } catch (error) {
      const { status, message, bug } = failureOf(error);
      if (bug) this.options.log('error', messageOf(bug));
      return { status, message };
    } finally {
      await this.suspects.tellRest();
      this.sources.close();
    }
  }

  /** Ends the attempt. A seal that is under way is part of it. */
  cancel(): void {
    this.control.stop();
  }

  private async work(): Promise<TaskResult> {
    const { task, volumes, offers, clock, crashPoint = noCrash, log } = this.options;
    const { image, fragmentBytesMax, compressionLevel, resume } = task;
    const volume = await volumes.roomiest(task.pool);
    const numbers: (readonly NumberSources[])[] = [];
    for (const imageId of task.chain) numbers.push(await this.numbersOf(imageId));
    log('info', 'begin writing');
    const begun = process.hrtime.bigint();
    const { chunks } = volume.store;
    const receiver = chunks && new ChunkReceiver(chunks, image.client);
    const encoder = new FrameEncoder(compressionLevel);
    const target = new SynthesisTarget({
      ...{ image, volume, fragmentBytesMax, offers, clock, crashPoint },
      signal: this.control.signal,
      onSealed: (fragments) => this.progress({ fragments }),
      chunks: receiver && { receiver, frames: new FramesHere(compressionLevel) },
    });
    const coder = receiver
      ? RAW_FRAMES
      : { encode: (data: Buffer) => encoder.encode(data), takesStored: true };
    const archive = new SyntheticArchive({ resume, fragmentBytesMax, coder, target });
    const storedBytes = () => receiver?.tally.newBytes ?? archive.storedBytes;
    const copier = new ChainCopier({
      open: (n) => this.opened(task.chain[n]!, numbers[n]!),
      images: task.chain.length,
      archive,
      expectGoOn: () => this.control.expectGoOn(),
      onProgress: (totals, path) => this.copied(totals, path, storedBytes()),
    });
    try {
      const totals = { ...(await copier.copy()), fragments: archive.fragments };
      await target.finish(totals);
      const seconds = Number(process.hrtime.bigint() - begun) / 1e9;
      log('info', `end writing; write time: ${clockTime(seconds)}`);
      if (receiver) log('info', dedupText(receiver.tally));
      this.progress({ ...totals, storedBytes: storedBytes() });
      for (const fragmentId of target.sealed.values()) await this.committed(fragmentId);
      return { status: STATUS.ok, message: '', kind: 'full', ...totals };
    } finally {
      await target.abandon();
      await receiver?.end();
    }
  }

  private async numbersOf(imageId: string): Promise<NumberSources[]> {
    const all: NumberSources[] = [];
    for (;;) {
      const after = all.at(-1)?.number ?? 0;
      const page = await this.control.patiently(
        () => this.options.catalog.fragments(imageId, after),
        (why) => this.options.log('warning', `waiting for the catalog: ${why}`),
      );
      if (page.length === 0) return all;
      all.push(...page);
    }
  }

  private opened(imageId: string, numbers: readonly NumberSources[]): ChainImage {
    return new ChainImage(imageId, numbers, {
      sources: this.sources,
      readable: (views) => this.sources.readable(views),
      onSuspect: (view, reason) => this.suspect(view, reason),
    });
  }

  private suspect({ fragmentId, mediaId }: FragmentView, reason: string): void {
    if (!this.suspects.add(fragmentId, reason)) return;
    this.options.log('error', `fragment ${fragmentId} on ${mediaId}: ${reason}`);
  }

  private async committed(fragmentId: string): Promise<void> {
    const verdict = await this.control.orStopped(this.options.offers.verdict(fragmentId));
    if (verdict !== 'COMMITTED') throw refusal(fragmentId, verdict);
  }

  private copied({ files, bytes }: CopyTotals, path: string, storedBytes: number): void {
    this.progressed = { files, bytes, storedBytes, currentPath: '' };
    if (files % PROGRESS_EVERY_FILES !== 0) return;
    this.progress({ ...this.progressed, currentPath: `/${toPathText(path)}` });
  }

  private progress(progress: Partial<JobProgress>): void {
    this.options.onProgress({ ...this.progressed, ...progress });
  }
}

/** Whoever looks does so once a second; there is no need to say each. */
const PROGRESS_EVERY_FILES = 64;
