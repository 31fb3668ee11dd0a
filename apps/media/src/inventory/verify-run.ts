import type { FragmentView } from '#contracts/image.js';
import type { JobProgress, TaskResult } from '#contracts/job.js';
import type { MediaTask } from '#contracts/task.js';
import { Cancelled, messageOf } from '#kernel/errors.js';
import { STATUS } from '#kernel/status.js';
import type { NumberSources } from '../duplication/duplicate-run.js';
import { RunControl } from '../duplication/run-control.js';
import { failureOf } from '../sessions/session-end.js';
import { checkFragment, type CheckedFragment } from './fragment-check.js';
import type { Holdings } from './holdings.js';

export type VerifyTask = Extract<MediaTask, { type: 'verify' }>;

/** What the catalog is asked and told; both throw `Unavailable` when it does not answer. */
export interface VerifyCatalog {
  /** The next numbers behind `afterNumber` with the fragments of all copies; none behind the last. */
  fragments(imageId: string, afterNumber: number): Promise<readonly NumberSources[]>;
  suspect(fragmentId: string, reason: string): Promise<void>;
}

export interface VerifyRunOptions {
  readonly task: VerifyTask;
  readonly mediaId: string;
  readonly holdings: Pick<Holdings, 'find'>;
  readonly catalog: VerifyCatalog;
  readonly log: (severity: 'info' | 'warning' | 'error', text: string) => void;
  readonly onProgress: (progress: Partial<JobProgress>) => void;
}

/** Fragments that a message names. */
const NAMED_MAX = 20;

/**
 * Reads every fragment of an image that the catalog has on this media server, and compares it with
 * what was committed. What is not whole is reported to the catalog, which has it checked again before
 * it believes that.
 */
export class VerifyRun {
  private readonly control = new RunControl();
  private readonly bad = new Map<FragmentView, CheckedFragment>();
  private total = 0;
  private checked = 0;
  private archiveBytes = 0;
  private storedBytes = 0;

  constructor(private readonly options: VerifyRunOptions) {}

  /** Never throws. Status 0: all is whole; 1057: something is damaged or missing; 85: not readable. */
  async run(): Promise<TaskResult> {
    try {
      const views = await this.views();
      this.total = views.length;
      for (const view of views) {
        await this.check(view);
        this.checked += 1;
        this.archiveBytes += view.archiveBytes;
        this.progress();
      }
      return this.result();
    } catch (error) {
      if (this.control.signal.aborted) return failureOf(new Cancelled());
      const { status, message, bug } = failureOf(error);
      if (bug) this.options.log('error', messageOf(bug));
      return { status, message, fragments: this.checked };
    }
  }

  cancel(): void {
    this.control.stop();
  }

  /** What lies here of the image, or of one copy of it. */
  private async views(): Promise<FragmentView[]> {
    const { task, mediaId, catalog } = this.options;
    const views: FragmentView[] = [];
    for (let after = 0; ;) {
      const page = await catalog.fragments(task.imageId, after);
      const last = page.at(-1);
      if (!last) return views;
      after = last.number;
      const isHere = (one: FragmentView) =>
        one.mediaId === mediaId && (task.copy === undefined || one.copy === task.copy);
      for (const { sources } of page) {
        views.push(...sources.filter((one) => isHere(one) && !isReplaced(one, sources)));
      }
    }
  }

  private async check(view: FragmentView): Promise<void> {
    this.control.expectGoOn();
    const holding = this.options.holdings.find(view.fragmentId);
    const { signal } = this.control;
    const onBytes = (bytes: number) => {
      this.storedBytes += bytes;
      this.progress();
    };
    const found: CheckedFragment = holding
      ? await checkFragment(holding, { expected: view, onBytes, signal })
      : { bytes: 'missing', reason: 'neither journal nor volume knows it' };
    if (found.bytes === 'whole') return;
    this.bad.set(view, found);
    const what = `fragment ${view.number} of copy ${view.copy} is ${found.bytes}`;
    const reason = found.reason === '' ? what : `${what}: ${found.reason}`;
    this.options.log('error', reason);
    await this.tell(view.fragmentId, reason);
  }

  /** The result says it too, so a catalog that is away is no reason to stop. */
  private async tell(fragmentId: string, reason: string): Promise<void> {
    try {
      await this.options.catalog.suspect(fragmentId, reason);
    } catch (error) {
      this.options.log(
        'warning',
        `fragment ${fragmentId} was not checked again: ${messageOf(error)}`,
      );
    }
  }

  private progress(): void {
    const { checked: fragments, total: fragmentsTotal, archiveBytes: bytes, storedBytes } = this;
    this.options.onProgress({ fragments, fragmentsTotal, bytes, storedBytes });
  }

  private result(): TaskResult {
    const done = { fragments: this.checked, bytes: this.archiveBytes };
    if (this.bad.size === 0) return { status: STATUS.ok, message: '', ...done };
    const named = [...this.bad].slice(0, NAMED_MAX).map(([view, { bytes }]) => {
      return `${view.number} of copy ${view.copy} (${bytes})`;
    });
    const more = this.bad.size > NAMED_MAX ? ` and ${this.bad.size - NAMED_MAX} more` : '';
    const isReading = [...this.bad.values()].every(({ unreadable }) => unreadable);
    const status = isReading ? STATUS.mediaReadError : STATUS.dataCorruption;
    const what = isReading ? 'media read error' : 'A data corruption has been detected';
    return { status, message: `${what}: fragments ${named.join(', ')}${more}`, ...done };
  }
}

/** Known to be damaged, and mended by another one: it only waits for its tombstone. */
function isReplaced({ state, copy }: FragmentView, all: readonly FragmentView[]): boolean {
  return state === 'DAMAGED' && all.some((one) => one.copy === copy && one.state === 'ACTIVE');
}
