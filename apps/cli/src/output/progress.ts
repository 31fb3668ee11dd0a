import type { JobView } from '#contracts/job.js';
import type { Clock } from '#kernel/clock.js';
import type { Output } from './output.js';
import { keepEnd, printable } from './printable.js';
import { RateMeter } from './rate-meter.js';
import { formatCount, formatFiles, formatSize } from './size.js';
import { formatDuration, formatElapsed } from './time.js';

const FRAMES = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'];
const FRAME_MS = 120;
const PLAIN_LINE_MS = 5_000;

/**
 * Shows how a job comes along: a live line on a terminal, a plain line every five seconds
 * elsewhere, a JSON line for each news with `--json`.
 */
export class Progress {
  readonly #rate = new RateMeter();
  #view: JobView | undefined;
  #timer: NodeJS.Timeout | undefined;
  #frame = 0;
  #plainAt = 0;

  constructor(
    private readonly output: Output,
    private readonly clock: Clock,
  ) {}

  show(view: JobView): void {
    const before = this.#view;
    this.#view = view;
    this.#rate.add(this.clock.now().getTime(), view.progress.bytes);
    if (this.output.json) this.output.record({ type: 'progress', job: view });
    else if (this.output.lively) this.#animate();
    else this.#plain(before);
  }

  /** Ends the live line; what follows begins on a clean one. */
  end(): void {
    if (this.#timer === undefined) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.output.liveLine('');
  }

  #animate(): void {
    this.#timer ??= setInterval(() => {
      this.#frame += 1;
      this.#draw();
    }, FRAME_MS);
    this.#draw();
  }

  #draw(): void {
    const mark = FRAMES[this.#frame % FRAMES.length]!;
    const width = this.output.out.columns - 1;
    this.output.liveLine(`${mark} ${this.#text(width - 2)}`);
  }

  #plain(before: JobView | undefined): void {
    const now = this.clock.now().getTime();
    const changed = before?.state !== this.#view?.state || before?.attempt !== this.#view?.attempt;
    if (this.#view?.state === 'done' || (!changed && now - this.#plainAt < PLAIN_LINE_MS)) return;
    this.#plainAt = now;
    this.output.line(this.#text(Number.POSITIVE_INFINITY));
  }

  #text(width: number): string {
    return progressText(this.#view!, {
      perSecond: this.#rate.perSecond(),
      now: this.clock.now(),
      width,
    });
  }
}

/** One line about a job that is not done, at most `width` characters; the path gives way first. */
export function progressText(
  view: JobView,
  at: { readonly perSecond: number | null; readonly now: Date; readonly width: number },
): string {
  const attempt = view.attempt > 1 ? `, attempt ${view.attempt}` : '';
  const elapsed = formatElapsed(view.startedAt ?? view.createdAt, view.endedAt, at.now);
  if (view.state !== 'active') {
    const why = view.operation ? `: ${printable(view.operation)}` : '';
    return cut(`Job ${view.job} ${view.state}${attempt}  ${elapsed}${why}`, at.width);
  }
  const { bytes, currentPath } = view.progress;
  const rate = at.perSecond === null || bytes === 0 ? '' : `  ${formatSize(at.perSecond)}/s`;
  const figures =
    `Job ${view.job} ${view.type}${attempt}  ${elapsed}  ${barText(view, at.width)}` +
    `${partsText(view)}  ${formatSize(bytes)}${rate}${leftText(view, at.perSecond)}`;
  const rest = at.width - figures.length - 2;
  const what = keepEnd(printable(currentPath || view.operation), Math.max(0, rest));
  return cut(what === '' ? figures : `${figures}  ${what}`, at.width);
}

const BAR_WIDTH = 20;

/**
 * How far a job is, from 0 to 1: by its fragments where it counts them, else by what the last good
 * backup of the same held. Never quite 1 before the end; null if nobody knows.
 */
export function shareOf({ progress, expected }: JobView): number | null {
  const { fragments, fragmentsTotal, bytes } = progress;
  const [is, whole] = fragmentsTotal > 0 ? [fragments, fragmentsTotal] : [bytes, expected?.bytes];
  return whole ? Math.min(0.99, is / whole) : null;
}

/** A bar for a terminal, which has a width; the percentage alone elsewhere. */
function barText(view: JobView, width: number): string {
  const share = shareOf(view);
  if (share === null) return '';
  const percent = `${Math.floor(share * 100)}%  `;
  if (width === Number.POSITIVE_INFINITY) return percent;
  const full = Math.round(share * BAR_WIDTH);
  return `[${'#'.repeat(full)}${'-'.repeat(BAR_WIDTH - full)}] ${percent}`;
}

/** At the rate of now, to the size of the last good backup. */
function leftText({ progress, expected }: JobView, perSecond: number | null): string {
  const bytes = (expected?.bytes ?? 0) - progress.bytes;
  if (bytes <= 0 || !perSecond) return '';
  return `  ${formatDuration((bytes / perSecond) * 1_000)} left`;
}

function partsText({ progress }: JobView): string {
  const { files, fragments, fragmentsTotal } = progress;
  if (fragmentsTotal === 0) return formatFiles(files);
  return `${formatCount(fragments)} of ${formatCount(fragmentsTotal)} fragments`;
}

function cut(text: string, width: number): string {
  return text.length <= width ? text : text.slice(0, Math.max(0, width));
}
