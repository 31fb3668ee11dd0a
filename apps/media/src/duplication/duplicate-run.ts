import type { FragmentView } from '#contracts/image.js';
import type { JobProgress, TaskResult } from '#contracts/job.js';
import type { MediaTask } from '#contracts/task.js';
import type { Clock } from '#kernel/clock.js';
import { messageOf } from '#kernel/errors.js';
import { STATUS } from '#kernel/status.js';
import type { CommitOffers } from '../commits/commit-offers.js';
import { noCrash, type CrashPoint } from '../crash-point.js';
import { clockTime } from '../domain/clock-time.js';
import { refusal } from '../domain/refusal.js';
import { sourceFault } from '../domain/source-fault.js';
import { failureOf } from '../sessions/session-end.js';
import type { Volumes } from '../volumes/volumes.js';
import { DuplicateSources } from './duplicate-sources.js';
import { FragmentDuplicator } from './fragment-duplicator.js';
import { FragmentTarget } from './fragment-target.js';
import { RunControl } from './run-control.js';
import { Suspects, type SuspectsCatalog } from './suspects.js';

export type DuplicateTask = Extract<MediaTask, { type: 'duplicate' }>;

/** One number of an image, and where its fragments can be read, the best first. */
export interface NumberSources {
  readonly number: number;
  readonly sources: readonly FragmentView[];
}

/** What the catalog is asked. Throws `Unavailable` when it does not answer. */
export interface SourceCatalog extends SuspectsCatalog {
  /** The next numbers that the copy lacks, behind `afterNumber`, with where each can be read. */
  missing(
    image: { readonly imageId: string; readonly copy: number },
    afterNumber: number,
  ): Promise<readonly NumberSources[]>;
}

export interface DuplicateRunOptions {
  readonly task: DuplicateTask;
  readonly mediaId: string;
  readonly volumes: Volumes;
  readonly offers: Pick<CommitOffers, 'add' | 'verdict'>;
  readonly catalog: SourceCatalog;
  readonly clock: Clock;
  readonly log: (severity: 'info' | 'warning' | 'error', text: string) => void;
  readonly onProgress: (progress: Partial<JobProgress>) => void;
  readonly crashPoint?: CrashPoint;
  /** For tests: how long a connection to a source may take. */
  readonly patienceMs?: number;
}

/** Numbers that a message names. */
const NAMED_MAX = 20;

/**
 * One attempt to give a copy the fragments that it lacks. It promises:
 *
 * - Sources are read and nothing else; no failure removes anything anywhere.
 * - With catalog and broker out of reach it makes the fragments that it knows of, and then waits: for
 *   the next page, and in the end for the verdicts.
 * - What is sealed is offered and stays, however the attempt ends. A fragment that no source can give
 *   does not hold up the others.
 */
export class DuplicateRun {
  private readonly control = new RunControl();
  private readonly sources: DuplicateSources;
  private readonly made = new Map<number, string>();
  private readonly failed = new Map<number, unknown>();
  private readonly suspects: Suspects;
  private readonly announced = new Set<string>();
  private archiveBytes = 0;
  private storedBytes = 0;
  private known = 0;

  constructor(private readonly options: DuplicateRunOptions) {
    const { mediaId, volumes: places, task, patienceMs, catalog, log } = options;
    const { signal } = this.control;
    const given = { mediaId, places, servers: task.sources, signal };
    this.sources = new DuplicateSources({ ...given, ...(patienceMs && { patienceMs }) });
    this.suspects = new Suspects(catalog, log);
  }

  /** Never throws: the result says what happened. Status 0: the copy lacks nothing any more. */
  async run(): Promise<TaskResult> {
    try {
      await this.work();
      return this.result();
    } catch (error) {
      const { status, message, bug } = failureOf(error);
      if (bug) this.options.log('error', messageOf(bug));
      return { status, message, fragments: this.made.size };
    } finally {
      await this.suspects.tellRest();
      this.sources.close();
    }
  }

  /** Ends the attempt. A fragment that is whole already is still sealed. */
  cancel(): void {
    this.control.stop();
  }

  private async work(): Promise<void> {
    const { task, volumes } = this.options;
    const volume = await volumes.roomiest(task.pool);
    const { offers, clock, crashPoint = noCrash } = this.options;
    const { signal } = this.control;
    const target = new FragmentTarget({
      ...{ image: task.image, volume, offers, clock, crashPoint, signal },
    });
    const duplicator = new FragmentDuplicator({
      sources: this.sources,
      target,
      log: this.options.log,
      onSuspect: ({ fragmentId }, reason) => void this.suspects.add(fragmentId, reason),
      onBytes: (bytes) => this.progress(bytes),
    });
    for (let after = 0; ;) {
      const page = await this.control.patiently(
        () => this.options.catalog.missing(task.image, after),
        (why) => this.options.log('warning', `waiting for the catalog: ${why}`),
      );
      const last = page.at(-1);
      if (!last) break;
      after = last.number;
      this.known += page.length;
      for (const one of page) await this.make(duplicator, one);
    }
    await this.verdicts();
  }

  private async make(
    duplicator: FragmentDuplicator,
    { number, sources }: NumberSources,
  ): Promise<void> {
    this.control.expectGoOn();
    this.announce(sources);
    this.options.log('info', 'begin writing');
    const begun = process.hrtime.bigint();
    try {
      this.made.set(number, await duplicator.duplicate(number, sources));
    } catch (error) {
      if (sourceFault(error) === undefined) throw error;
      this.failed.set(number, error);
      this.options.log('error', `fragment ${number} could not be read: ${messageOf(error)}`);
      return;
    } finally {
      await this.suspects.tell();
    }
    const seconds = Number(process.hrtime.bigint() - begun) / 1e9;
    this.options.log('info', `end writing; write time: ${clockTime(seconds)}`);
    this.archiveBytes += sources[0]!.archiveBytes;
    this.storedBytes += sources[0]!.storedBytes;
    this.progress(0);
  }

  /** The way of the data, whenever it is a new one. */
  private announce(views: readonly FragmentView[]): void {
    const [view] = this.sources.readable(views);
    if (!view) return;
    const { mediaId, task } = this.options;
    const way = `from @${view.mediaId}/${view.pool} to @${mediaId}/${task.pool}`;
    if (this.announced.has(way)) return;
    this.announced.add(way);
    this.options.log('info', `Initiating optimized duplication ${way}`);
  }

  private progress(current: number): void {
    this.options.onProgress({
      fragments: this.made.size,
      fragmentsTotal: Math.max(this.options.task.missing ?? 0, this.known),
      bytes: this.archiveBytes,
      storedBytes: this.storedBytes + current,
    });
  }

  private async verdicts(): Promise<void> {
    for (const [number, fragmentId] of this.made) {
      const verdict = await this.control.orStopped(this.options.offers.verdict(fragmentId));
      if (verdict === 'COMMITTED') continue;
      // Another attempt, which was thought to be over, was first: the copy has the number.
      if (verdict !== 'SUPERSEDED') throw refusal(fragmentId, verdict);
      this.options.log('warning', `fragment ${number} was there already; ${fragmentId} is kept`);
    }
  }

  private result(): TaskResult {
    const done = { fragments: this.made.size, bytes: this.archiveBytes };
    if (this.failed.size === 0) return { status: STATUS.ok, message: '', ...done };
    const failures = [...this.failed.values()];
    const first = failures.find((error) => sourceFault(error) === 'lost') ?? failures[0];
    const { status, message } = failureOf(first);
    const numbers = [...this.failed.keys()].slice(0, NAMED_MAX).join(', ');
    return { status, message: `fragments ${numbers} were not duplicated: ${message}`, ...done };
  }
}
