import type { JobView } from '#contracts/job.js';
import type { Clock } from '#kernel/clock.js';
import type { Output } from './output.js';
import { keepEnd, printable } from './printable.js';
import { RateMeter } from './rate-meter.js';
import { formatCount, formatFiles, formatSize } from './size.js';
import { formatElapsed } from './time.js';

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
  if (view.state === 'queued') {
    const why = view.operation ? `: ${printable(view.operation)}` : '';
    return cut(`Job ${view.job} queued${attempt}  ${elapsed}${why}`, at.width);
  }
  const { bytes, currentPath } = view.progress;
  const rate = at.perSecond === null || bytes === 0 ? '' : `  ${formatSize(at.perSecond)}/s`;
  const figures = `Job ${view.job} ${view.type}${attempt}  ${elapsed}  ${partsText(view)}  ${formatSize(bytes)}${rate}`;
  const rest = at.width - figures.length - 2;
  const what = keepEnd(printable(currentPath || view.operation), Math.max(0, rest));
  return cut(what === '' ? figures : `${figures}  ${what}`, at.width);
}

function partsText({ progress }: JobView): string {
  const { files, fragments, fragmentsTotal } = progress;
  if (fragmentsTotal === 0) return formatFiles(files);
  return `${formatCount(fragments)} of ${formatCount(fragmentsTotal)} fragments`;
}

function cut(text: string, width: number): string {
  return text.length <= width ? text : text.slice(0, Math.max(0, width));
}
