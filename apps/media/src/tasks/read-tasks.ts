import { Injectable } from '@nestjs/common';
import type { MediaTask } from '#contracts/task.js';
import { Clock } from '#kernel/clock.js';
import { JobReporter } from '#messaging/job-reporter.js';
import { Requests } from '#messaging/requests.js';
import type { Connection } from '#transfer/connection.js';
import { MediaConfig } from '../config.js';
import { atWorkFor, jobOf } from '../library/job-at-work.js';
import { MediaNode } from '../media-node.js';
import type { RunningTask } from './running-task.js';
import { ReadSession } from '../sessions/read-session.js';

type ReadTask = Extract<MediaTask, { type: 'read' }>;

/** Serves the reading half of restores, until the job manager says that the job is over. */
@Injectable()
export class ReadTasks {
  constructor(
    private readonly node: MediaNode,
    private readonly requests: Requests,
    private readonly clock: Clock,
    private readonly config: MediaConfig,
  ) {}

  begin(task: ReadTask): RunningTask {
    let stop: () => void = () => undefined;
    const stopped = new Promise<void>((resolve) => {
      stop = resolve;
    });
    const reporter = new JobReporter(this.requests, this.clock, {
      job: task.job,
      attempt: task.attempt,
      from: 'media',
      instance: this.config.mediaId,
      onStop: stop,
    });
    return { end: this.serve(task, reporter, stopped), cancel: stop };
  }

  private async serve(task: ReadTask, reporter: JobReporter, stopped: Promise<void>) {
    const sessions = new Set<ReadSession>();
    const over = new AbortController();
    const at = jobOf(reporter, task.job, over.signal);
    if (!(await reporter.begin(`started process media (pid=${process.pid})`))) return;
    try {
      this.expect(task, (connection) => atWorkFor(at, () => this.read(task, sessions, connection)));
      await stopped;
    } finally {
      over.abort();
      for (const token of task.tokens) this.node.registry.forget(token);
      for (const session of sessions) session.cancel();
      reporter.cease();
    }
  }

  private expect(task: ReadTask, serve: (connection: Connection) => Promise<void>): void {
    for (const token of task.tokens) {
      this.node.registry.expect({
        token,
        role: 'read',
        // A restore may come to its last image, or turn to another copy, hours after it began.
        untilForgotten: true,
        serve,
      });
    }
  }

  private async read(task: ReadTask, sessions: Set<ReadSession>, connection: Connection) {
    const session = new ReadSession({ imageIds: task.images, places: this.node.volumes });
    sessions.add(session);
    await session.run(connection);
    sessions.delete(session);
  }
}
