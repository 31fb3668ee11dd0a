import { Injectable } from '@nestjs/common';
import type { TaskResult } from '#contracts/job.js';
import type { ImageKind } from '#contracts/names.js';
import type { MediaTask } from '#contracts/task.js';
import { Clock } from '#kernel/clock.js';
import { messageOf, PermanentError, Unavailable } from '#kernel/errors.js';
import { STATUS } from '#kernel/status.js';
import { JobReporter } from '#messaging/job-reporter.js';
import { Requests } from '#messaging/requests.js';
import type { Connection } from '#transfer/connection.js';
import { MediaConfig } from '../config.js';
import { clockTime } from '../domain/clock-time.js';
import { atWorkFor, jobOf } from '../library/job-at-work.js';
import { MediaNode } from '../media-node.js';
import type { RunningTask } from './running-task.js';
import { dedupText } from '../sessions/chunk-receiver.js';
import { WriteSession, type WriteOutcome } from '../sessions/write-session.js';

type WriteTask = Extract<MediaTask, { type: 'write' }>;

/** Serves the writing half of backups: waits for the agent, receives, reports. */
@Injectable()
export class WriteTasks {
  constructor(
    private readonly node: MediaNode,
    private readonly requests: Requests,
    private readonly clock: Clock,
    private readonly config: MediaConfig,
  ) {}

  begin(task: WriteTask): RunningTask {
    const run = new WriteRun(this.node, task, this.reporter(task));
    return { end: run.toEnd(), writes: task.image, cancel: () => run.cancel() };
  }

  private reporter(task: WriteTask): (onStop: () => void) => JobReporter {
    return (onStop) =>
      new JobReporter(this.requests, this.clock, {
        job: task.job,
        attempt: task.attempt,
        from: 'media',
        instance: this.config.mediaId,
        onStop,
      });
  }
}

/** One task from its first report to its last. */
class WriteRun {
  private readonly reporter: JobReporter;
  private readonly finished: Promise<WriteOutcome>;
  private finish: (outcome: WriteOutcome) => void = () => undefined;
  private session: WriteSession | undefined;
  private readonly over = new AbortController();
  private cancelled = false;
  private serving = false;

  constructor(
    private readonly node: MediaNode,
    private readonly task: WriteTask,
    newReporter: (onStop: () => void) => JobReporter,
  ) {
    this.reporter = newReporter(() => this.cancel());
    this.finished = new Promise((resolve) => {
      this.finish = resolve;
    });
  }

  async toEnd(): Promise<void> {
    const { node, task } = this;
    // Nobody can write without the token that the agent of this very attempt has.
    this.reporter.beginUnasked(`started process media (pid=${process.pid})`);
    try {
      if (this.cancelled) return this.reporter.cease();
      const volume = await node.volumes.roomiest(task.pool);
      this.session = new WriteSession({
        task: {
          ...task.image,
          attempt: task.image.copyAttempt,
          fragmentBytesMax: task.fragmentBytesMax,
          resume: task.resume,
        },
        volume,
        offers: node.offers,
        clock: node.clock,
        crashPoint: node.crashPoint,
        onProgress: ({ storedBytes }) => this.reporter.progress({ storedBytes }),
      });
      node.registry.expect({
        token: task.token,
        role: 'write',
        // The agent may wait for its turn on the client. One that is gone is missed by the job manager.
        untilForgotten: true,
        serve: (connection) => this.serve(connection),
      });
      await this.report(await this.finished);
    } catch (error) {
      const isKnown = error instanceof PermanentError || error instanceof Unavailable;
      const status = isKnown ? error.status : STATUS.mediaWriteError;
      await this.reporter.finish({ status, message: messageOf(error) });
    } finally {
      node.registry.forget(task.token);
    }
  }

  /** A session that runs comes to its end first: a seal that is under way is part of it. */
  cancel(): void {
    this.cancelled = true;
    this.over.abort();
    this.node.registry.forget(this.task.token);
    this.session?.cancel();
    if (!this.serving) this.finish(failed(STATUS.cancelled, ''));
  }

  private async serve(connection: Connection): Promise<void> {
    this.serving = true;
    const begun = process.hrtime.bigint();
    this.reporter.log('info', 'begin writing');
    const outcome = await atWorkFor(jobOf(this.reporter, this.task.job, this.over.signal), () =>
      this.session!.run(connection),
    );
    const time = clockTime(Number(process.hrtime.bigint() - begun) / 1e9);
    const { waitsForFullBuffer: full, waitsForEmptyBuffer: empty } = outcome.waits;
    const waits = `waited for full buffer ${full} times, for empty buffer ${empty} times`;
    this.reporter.log('info', `end writing; write time: ${time}; ${waits}`);
    if (outcome.chunks?.chunks) this.reporter.log('info', dedupText(outcome.chunks));
    if (outcome.bug) this.reporter.log('error', messageOf(outcome.bug));
    this.finish(outcome);
  }

  private async report(outcome: WriteOutcome): Promise<void> {
    if (this.cancelled) return this.reporter.cease();
    this.reporter.progress({ storedBytes: outcome.storedBytes });
    await this.reporter.finish(resultOf(outcome));
  }
}

/** The fragments of a whole image count those of earlier attempts. */
function resultOf({ status, message, fragments, totals }: WriteOutcome): TaskResult {
  return {
    status,
    message,
    fragments: totals?.fragments ?? fragments,
    ...(totals ? { files: totals.files, bytes: totals.bytes, kind: totals.kind as ImageKind } : {}),
  };
}

function failed(status: number, message: string): WriteOutcome {
  const waits = { waitsForFullBuffer: 0, waitsForEmptyBuffer: 0 };
  return { status, message, fragments: 0, storedBytes: 0, waits };
}
