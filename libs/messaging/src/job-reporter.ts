import { hostname } from 'node:os';
import { Logger } from '@nestjs/common';
import type { InputOf } from '#contracts/contract.js';
import {
  jobsReport,
  LINE_CHARACTERS_MAX,
  MESSAGE_CHARACTERS_MAX,
  REPORT_LINES_MAX,
  type JobProgress,
  type TaskResult,
} from '#contracts/job.js';
import { madeStorable } from '#contracts/names.js';
import { backoffMs, sleep } from '#kernel/backoff.js';
import type { Clock } from '#kernel/clock.js';
import { messageOf, PermanentError } from '#kernel/errors.js';
import type { Requests } from './requests.js';

type Report = InputOf<typeof jobsReport>;
type Line = NonNullable<Report['lines']>[number];

export interface ReporterOptions {
  readonly job: number;
  readonly attempt: number;
  readonly from: 'media' | 'agent';
  /** The media server's id, or the client's name. */
  readonly instance: string;
  /** The job manager says that the attempt is over: stop. Called once at the most. */
  readonly onStop: () => void;
}

/** A sign of life goes out that often, whatever else there is to say. */
const REPORT_MS = 1_000;
/** What the job manager must have heard within some seconds; longer outages lose the first lines. */
const LINES_WAITING_MAX = 5_000;
/** Then it works on: the job manager may be away for a moment only. */
const BEGIN_TRIES_MAX = 5;
const HOST = hostname();
const RETRY = { firstMs: 50, maxMs: 5_000, jitter: 0.5 };
/** How long the last word is repeated before it is left to the job manager's time-out. */
const LAST_WORD_MS_MAX = 600_000;

/**
 * Tells the job manager how one participant's part of a job goes: log lines, progress, and in the
 * end the result, which is repeated until it was heard. Nothing here ever fails the job.
 */
export class JobReporter {
  private readonly logger: Logger;
  private lines: Line[] = [];
  private progressed: Partial<JobProgress> | undefined;
  private sending: Promise<void> = Promise.resolve();
  private timer: NodeJS.Timeout | undefined;
  private stopped = false;

  constructor(
    private readonly requests: Requests,
    private readonly clock: Clock,
    private readonly options: ReporterOptions,
  ) {
    this.logger = new Logger(`job ${options.job}`);
  }

  /**
   * Says that the participant has its task, and from then on speaks every second. False when the
   * attempt is over: a task may be delivered late, and then there is nothing to do.
   */
  async begin(firstLine: string): Promise<boolean> {
    this.log('info', firstLine);
    for (let attempt = 1; attempt <= BEGIN_TRIES_MAX; attempt += 1) {
      try {
        await this.send();
        break;
      } catch (error) {
        if (error instanceof PermanentError) return false;
        this.logger.warn(`cannot report: ${messageOf(error)}`);
        await sleep(backoffMs(attempt, RETRY, 0.5));
      }
    }
    if (this.stopped) return false;
    this.timer = setInterval(() => this.tick(), REPORT_MS);
    return true;
  }

  /**
   * Speaks every second from now on, the first time in a second: for a part that does no harm where its attempt
   * is over, and is often through by then.
   */
  beginUnasked(firstLine: string): void {
    this.log('info', firstLine);
    this.timer = setInterval(() => this.tick(), REPORT_MS);
  }

  log(severity: Line['severity'], text: string): void {
    if (this.lines.length >= LINES_WAITING_MAX) this.lines.shift();
    const at = this.clock.now().toISOString();
    const { from } = this.options;
    const who = { process: from, host: HOST, pid: process.pid };
    this.lines.push({ at, ...who, severity, text: madeStorable(text, LINE_CHARACTERS_MAX) });
  }

  progress(progress: Partial<JobProgress>): void {
    this.progressed = { ...this.progressed, ...progress };
  }

  /** Says how it ended; resolves when the job manager knows, or has no use for it any more. */
  async finish(result: TaskResult): Promise<void> {
    clearInterval(this.timer);
    await this.sending;
    await this.untilHeard(async () => {
      while (this.lines.length > REPORT_LINES_MAX) await this.send();
      await this.send(cut(result));
    });
  }

  /**
   * Stops reporting without a result: the job manager has ended the attempt itself. What was said
   * until then is still brought into the job's log.
   */
  cease(): void {
    clearInterval(this.timer);
    this.stopped = true;
    this.sending = this.sending.then(() =>
      this.untilHeard(async () => {
        while (this.lines.length > 0) await this.send();
      }),
    );
  }

  /** Speaks until the job manager has heard, has no use for it, or much time has passed. */
  private async untilHeard(speak: () => Promise<void>): Promise<void> {
    const begun = this.clock.now().getTime();
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await speak();
      } catch (error) {
        this.logger.warn(`cannot report the end: ${messageOf(error)}`);
        const tooLate = this.clock.now().getTime() - begun > LAST_WORD_MS_MAX;
        if (error instanceof PermanentError || tooLate) return;
        await sleep(backoffMs(attempt, RETRY, 0.5));
      }
    }
  }

  private tick(): void {
    this.sending = this.sending
      .then(() => (this.stopped ? undefined : this.send()))
      .catch((error: unknown) => this.logger.warn(`cannot report: ${messageOf(error)}`));
  }

  private async send(result?: TaskResult): Promise<void> {
    const { onStop, ...who } = this.options;
    const lines = this.lines.slice(0, REPORT_LINES_MAX);
    const progress = this.progressed;
    const { goOn } = await this.requests.call(jobsReport, {
      ...who,
      lines,
      ...(progress ? { progress } : {}),
      ...(result ? { result } : {}),
    });
    this.lines = this.lines.slice(lines.length);
    if (progress === this.progressed) this.progressed = undefined;
    if (!goOn && !result && !this.stopped) {
      this.cease();
      onStop();
    }
  }
}

/** A message may hold what a program or a disk said. */
function cut(result: TaskResult): TaskResult {
  const fit = <T extends { message: string }>(one: T): T => ({
    ...one,
    message: madeStorable(one.message, MESSAGE_CHARACTERS_MAX),
  });
  const { afterwards } = result;
  return { ...fit(result), ...(afterwards && { afterwards: fit(afterwards) }) };
}
