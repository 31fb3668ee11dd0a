import { messageOf, PermanentError } from '#kernel/errors.js';

import type { FallOver } from './fall-over.js';
import { loadFrames, type LoadedFrame } from './frame-loader.js';
import type { FramePlace, FrameTables } from './frame-tables.js';
import type { RestoreImage } from './restore-source.js';

/** Neighbouring frames that are read with one request; fewer where there would be no room for so many requests. */
const FRAMES_PER_READ_MAX = 2;
const READS_WITH_ROOM_MIN = 3;
const READS_IN_FLIGHT_MAX = 6;

export interface FrameStreamOptions {
  readonly image: RestoreImage;
  readonly number: number;
  readonly tables: FrameTables;
  readonly sources: FallOver;
  /** Frames (1 MiB each, and as many compressed) that may be under way or wait for the writer. */
  readonly framesMax: number;
  /** Neighbours, in order. */
  readonly emit: (frames: readonly LoadedFrame[]) => void;
}

/**
 * Brings the frames of one image that are needed, in order and each once, to the writer. What is needed is announced
 * with `want`, in ascending order; each frame that the writer has done with comes back with `release`. Memory: `framesMax`
 * frames and the announced ranges (which are joined where they touch).
 */
export class FrameStream {
  readonly #ranges: { offset: number; end: number }[] = [];
  readonly #framesPerRead: number;
  #reached = 0;
  #free: number;
  #reads = 0;
  #ended = false;
  #stopped = false;
  #wake: (() => void) | undefined;
  #changes = 0;
  #ready: FramePlace | LoadedFrame | undefined;

  constructor(private readonly options: FrameStreamOptions) {
    const share = Math.floor(options.framesMax / READS_WITH_ROOM_MIN);
    this.#framesPerRead = Math.min(Math.max(share, 1), FRAMES_PER_READ_MAX);
    this.#free = options.framesMax;
  }

  /** Announces that the bytes will be needed. Never before what was announced last. */
  want(offset: number, length: number): void {
    const last = this.#ranges.at(-1);
    if (last !== undefined && offset <= last.end) last.end = Math.max(last.end, offset + length);
    else this.#ranges.push({ offset, end: offset + length });
    this.#changed();
  }

  release(frames: number): void {
    this.#free += frames;
    this.#changed();
  }

  /** Nothing more will be announced. */
  end(): void {
    this.#ended = true;
    this.#changed();
  }

  /** Stops reading; `run` returns when what is under way has come. */
  stop(): void {
    this.#stopped = true;
    this.#changed();
  }

  /** Runs until everything that was announced has been emitted. @throws what ends the restore. */
  async run(): Promise<void> {
    let emitted = Promise.resolve();
    let failure: { error: unknown } | undefined;
    for (;;) {
      if (this.#stopped || failure !== undefined) break;
      const changesSeen = this.#changes;
      const step = await this.#nextStep();
      if (step === undefined) {
        if (this.#ended && this.#ranges.length === 0 && this.#ready === undefined) break;
        if (changesSeen === this.#changes) await this.#pause();
        continue;
      }
      this.#free -= step.length;
      this.#reads++;
      const loading = this.#load(step);
      emitted = emitted
        .then(async () => {
          const frames = await loading;
          if (!this.#stopped) this.options.emit(frames);
        })
        .catch((error: unknown) => {
          failure ??= { error };
        })
        .finally(() => {
          this.#reads--;
          this.#changed();
        });
    }
    await emitted;
    if (failure !== undefined && !this.#stopped) throw failure.error;
  }

  #load(step: readonly (FramePlace | LoadedFrame)[]): Promise<LoadedFrame[]> {
    const places = step.filter((one) => 'fragment' in one);
    const loading =
      places.length === step.length
        ? loadFrames(this.options.sources, places, this.options.image.imageId)
        : Promise.resolve(step as LoadedFrame[]);
    loading.catch(() => undefined); // It is awaited in its turn.
    return loading;
  }

  /** What can be read now: neighbouring frames of one fragment, or one gap; undefined if nothing can. */
  async #nextStep(): Promise<(FramePlace | LoadedFrame)[] | undefined> {
    // Not what little there is room for: many small reads cost more, and keep the media server from reading ahead.
    if (this.#free < this.#framesPerRead || this.#reads >= READS_IN_FLIGHT_MAX) return undefined;
    const step: (FramePlace | LoadedFrame)[] = [];
    while (step.length < this.#framesPerRead) {
      this.#ready ??= await this.#nextFrame();
      const next = this.#ready;
      const last = step.at(-1);
      if (next === undefined || (last !== undefined && !areNeighbours(last, next))) break;
      step.push(next);
      this.#ready = undefined;
    }
    return step.length === 0 ? undefined : step;
  }

  /** The next frame that is needed; one that is not to be found comes as a damaged one. */
  async #nextFrame(): Promise<FramePlace | LoadedFrame | undefined> {
    const { number, tables } = this.options;
    for (;;) {
      const range = this.#ranges[0];
      if (range === undefined) return undefined;
      if (range.end <= this.#reached) {
        this.#ranges.shift();
        continue;
      }
      const from = Math.max(range.offset, this.#reached);
      const frame = await this.#frameAt(from);
      this.#reached = frame.archiveOffset + frame.archiveBytes;
      // A frame of zero bytes would never end.
      if (this.#reached > from) return frame;
      this.#reached = tables.endOfGap(number, from);
    }
  }

  async #frameAt(from: number): Promise<FramePlace | LoadedFrame> {
    const { number, tables, image } = this.options;
    const gap = (reason: string): LoadedFrame => {
      const archiveBytes = tables.endOfGap(number, from) - from;
      return { archiveOffset: from, archiveBytes, damage: `image ${image.imageId}: ${reason}` };
    };
    try {
      const frame = await tables.frameAt(number, from);
      return frame ?? gap('no fragment holds this part of the archive');
    } catch (error) {
      if (!(error instanceof PermanentError)) throw error;
      return gap(messageOf(error));
    }
  }

  #changed(): void {
    this.#changes++;
    this.#wake?.();
  }

  #pause(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = () => {
        this.#wake = undefined;
        resolve();
      };
    });
  }
}

function areNeighbours(a: FramePlace | LoadedFrame, b: FramePlace | LoadedFrame): boolean {
  return 'fragment' in a && 'fragment' in b && a.fragment === b.fragment && a.index + 1 === b.index;
}

/** The one frame that holds a byte of an archive, for whoever comes out of order. */
export async function loadFrameAt(
  options: Pick<FrameStreamOptions, 'image' | 'number' | 'tables' | 'sources'>,
  archiveOffset: number,
): Promise<LoadedFrame> {
  const { image, number, tables, sources } = options;
  const lost = (reason: string): LoadedFrame => ({
    archiveOffset,
    archiveBytes: 1,
    damage: `image ${image.imageId}: ${reason}`,
  });
  try {
    const place = await tables.frameAt(number, archiveOffset);
    if (place === undefined) return lost('no fragment holds this part of the archive');
    return (await loadFrames(sources, [place], image.imageId))[0] ?? lost('a frame is missing');
  } catch (error) {
    if (!(error instanceof PermanentError)) throw error;
    return lost(messageOf(error));
  }
}
