import { toPathText } from '#archive/path-text.js';

import type { FallOver } from './fall-over.js';
import { FrameStream, loadFrameAt } from './frame-stream.js';
import { FrameTables } from './frame-tables.js';
import type { RestoreNotes } from './restore-notes.js';
import {
  linkKey,
  planEntries,
  type PlannedEntry,
  type PlanSource,
  type RestoreSurvey,
} from './restore-plan.js';
import type { RestoreRequest } from './restore-request.js';
import { startWriter, type WriterPort } from './writer/start-writer.js';
import type { FromWriter, WriterCounts } from './writer/writer-messages.js';

/** Entries that may be planned ahead of the writer. */
const ENTRIES_AHEAD_MAX = 4_096;
/** Kept plans are handed on in parts of this many. */
const ENTRIES_PER_BATCH = 512;
/** Frames (1 MiB) in memory for all images together, and at most and at least for each. */
const FRAMES_MAX = 16;
const FRAMES_PER_IMAGE_MAX = 12;
const FRAMES_PER_IMAGE_MIN = 2;

const NOTHING: WriterCounts = { files: 0, bytes: 0, failed: 0, leftAlone: 0 };

/** One restore under way: brings the plan, the frames and the writer together. */
export class RestoreRun {
  #counts = NOTHING;
  #ahead = 0;
  #over = false;
  #wake: (() => void) | undefined;
  #failure: { error: unknown } | undefined;
  #survey: RestoreSurvey | undefined;
  readonly #tables: FrameTables;
  readonly #streams: readonly FrameStream[];
  #writer: WriterPort | undefined;
  #settle: { finish: () => void; fail: (error: unknown) => void } | undefined;

  constructor(
    private readonly request: RestoreRequest,
    private readonly notes: RestoreNotes,
    private readonly sources: FallOver,
  ) {
    const { chain } = request;
    this.#tables = new FrameTables(chain, sources);
    const share = Math.floor(FRAMES_MAX / Math.max(chain.length, 1));
    const framesMax = Math.min(Math.max(share, FRAMES_PER_IMAGE_MIN), FRAMES_PER_IMAGE_MAX);
    this.#streams = chain.map((image, number) => {
      const emit: FrameStream['options']['emit'] = (frames) =>
        this.#writer?.send({ kind: 'frames', image: number, frames });
      return new FrameStream({ image, number, tables: this.#tables, sources, framesMax, emit });
    });
  }

  get counts(): WriterCounts {
    return this.#counts;
  }

  /** Runs to the end, or until the signal comes. @throws what made it impossible to go on. */
  async restore(survey: RestoreSurvey, plan: PlanSource): Promise<void> {
    const { signal, destination, overwrite = false, chain } = this.request;
    if (survey.files === 0 || signal?.aborted === true) return;
    this.#survey = survey;
    const finished = new Promise<void>((finish, fail) => (this.#settle = { finish, fail }));
    finished.catch(() => undefined); // It is awaited below.
    this.#writer = startWriter(
      { destination, overwrite, images: chain.length },
      { onMessage: (message) => this.#hear(message), onFailure: (error) => this.#fail(error) },
      this.request.thread,
    );
    const stop = (): void => this.#stop();
    signal?.addEventListener('abort', stop, { once: true });
    try {
      const reading = this.#streams.map(async (stream, image) => {
        await stream.run();
        this.#writer?.send({ kind: 'frames-end', image });
      });
      const work = [this.#feed(survey, plan), ...reading];
      await Promise.all([
        finished,
        ...work.map((one) => one.catch((error: unknown) => this.#giveUp(error))),
      ]);
    } finally {
      signal?.removeEventListener('abort', stop);
      await this.#writer.kill();
    }
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  async #feed(survey: RestoreSurvey, plan: PlanSource): Promise<void> {
    for await (const batch of survey.kept ? batchesOf(survey.kept) : planEntries(plan)) {
      while (this.#ahead >= ENTRIES_AHEAD_MAX && !this.#over) {
        await new Promise<void>((resolve) => (this.#wake = resolve));
      }
      if (this.#over) return;
      this.#hand(batch, survey);
    }
    this.#writer?.send({ kind: 'end' });
    for (const stream of this.#streams) stream.end();
  }

  #hand(batch: readonly PlannedEntry[], survey: RestoreSurvey): void {
    const linked = batch.map((entry) => survey.linked.has(linkKey(entry.image, entry.offset)));
    this.#ahead += batch.length;
    this.#writer?.send({ kind: 'entries', entries: batch, linked });
    for (const entry of batch) {
      if (entry.kind === 'entry') this.#streams[entry.image]?.want(entry.offset, entry.length);
      if (entry.flags !== '' && entry.kind !== 'parent') this.#noteFlags(entry);
    }
  }

  #noteFlags({ path, flags }: PlannedEntry): void {
    if (flags.includes('t')) {
      const text = `${toPathText(path)}: could not be read to its end when it was backed up; the rest is zeros.`;
      this.notes.add({ text, lost: true });
    } else if (flags.includes('m')) {
      const text = `${toPathText(path)}: changed while it was backed up.`;
      this.notes.add({ text, lost: false });
    }
  }

  #hear(message: FromWriter): void {
    if (message.kind === 'fetch') {
      void this.#fetch(message);
      return;
    }
    this.#counts = message.counts;
    for (const note of message.notes) this.notes.add(note);
    if (message.kind === 'report') {
      this.#ahead -= message.entriesDone;
      message.released.forEach((frames, i) => {
        if (frames > 0) this.#streams[i]?.release(frames);
      });
      this.#wake?.();
    } else {
      if (message.gaveUp !== undefined) {
        this.notes.add({ text: `The restore gave up: ${message.gaveUp}.`, lost: true });
      }
      this.#endWork();
      this.#settle?.finish();
    }
    const { files, bytes } = this.#counts;
    const { files: filesTotal = 0, bytes: bytesTotal = 0 } = this.#survey ?? {};
    this.request.onProgress?.({ files, bytes, filesTotal, bytesTotal });
  }

  async #fetch({ image: number, offset }: { image: number; offset: number }): Promise<void> {
    const image = this.request.chain[number];
    if (image === undefined) return;
    const options = { image, number, tables: this.#tables, sources: this.sources };
    try {
      const frame = await loadFrameAt(options, offset);
      this.#writer?.send({ kind: 'extra', image: number, frame });
    } catch (error) {
      this.#giveUp(error);
    }
  }

  /** The writer is gone: there is nobody to finish anything. */
  #fail(error: unknown): void {
    this.#endWork();
    this.#settle?.fail(error);
  }

  /** What is missing will not come: the writer finishes what it has. */
  #giveUp(error: unknown): void {
    this.#failure ??= { error };
    this.#stop();
  }

  /** The writer finishes what it can and says `finished`. */
  #stop(): void {
    this.#endWork();
    this.#writer?.send({ kind: 'stop' });
  }

  #endWork(): void {
    this.#over = true;
    for (const stream of this.#streams) stream.stop();
    this.#wake?.();
  }
}

function* batchesOf(entries: readonly PlannedEntry[]): Generator<readonly PlannedEntry[]> {
  for (let at = 0; at < entries.length; at += ENTRIES_PER_BATCH) {
    yield entries.slice(at, at + ENTRIES_PER_BATCH);
  }
}
