import { Injectable } from '@nestjs/common';
import type { TaskResult } from '#contracts/job.js';
import { Clock } from '#kernel/clock.js';
import { JobReporter } from '#messaging/job-reporter.js';
import { Requests } from '#messaging/requests.js';
import { MediaConfig } from '../config.js';
import { CopyLink } from '../duplication/copy-link.js';
import { DuplicateRun, type DuplicateTask } from '../duplication/duplicate-run.js';
import { VerifyRun, type VerifyTask } from '../inventory/verify-run.js';
import { atWorkFor, jobOf } from '../library/job-at-work.js';
import { MediaNode } from '../media-node.js';
import { SynthesizeRun, type SynthesizeTask } from '../synthesis/synthesize-run.js';
import type { RunningTask } from './running-task.js';

/** Work on copies that this media server does by itself, from its first report to its last. */
interface CopyRun {
  run(): Promise<TaskResult>;
  cancel(): void;
}

/** Runs duplications, syntheses and verifications. */
@Injectable()
export class CopyTasks {
  constructor(
    private readonly node: MediaNode,
    private readonly link: CopyLink,
    private readonly requests: Requests,
    private readonly clock: Clock,
    private readonly config: MediaConfig,
  ) {}

  duplicate(task: DuplicateTask): RunningTask {
    const { volumes, offers, crashPoint } = this.node;
    const running = this.begin(task, (reporter) => {
      const log = reporter.log.bind(reporter);
      const onProgress = reporter.progress.bind(reporter);
      const given = { volumes, offers, crashPoint, log, onProgress, catalog: this.link };
      return new DuplicateRun({
        ...given,
        task,
        mediaId: this.config.mediaId,
        clock: this.clock,
      });
    });
    return { ...running, writes: task.image };
  }

  synthesize(task: SynthesizeTask): RunningTask {
    const { volumes, offers, crashPoint } = this.node;
    const { clock } = this;
    const running = this.begin(task, (reporter) => {
      const log = reporter.log.bind(reporter);
      const onProgress = reporter.progress.bind(reporter);
      const given = { volumes, offers, crashPoint, log, onProgress, clock, catalog: this.link };
      return new SynthesizeRun({ ...given, task, mediaId: this.config.mediaId });
    });
    return { ...running, writes: task.image };
  }

  verify(task: VerifyTask): RunningTask {
    return this.begin(task, (reporter) => {
      const log = reporter.log.bind(reporter);
      const onProgress = reporter.progress.bind(reporter);
      const { holdings } = this.node;
      const given = { holdings, log, onProgress, catalog: this.link };
      return new VerifyRun({ ...given, task, mediaId: this.config.mediaId });
    });
  }

  private begin(
    { job, attempt }: DuplicateTask | SynthesizeTask | VerifyTask,
    make: (reporter: JobReporter) => CopyRun,
  ): RunningTask {
    const over = new AbortController();
    const { signal } = over;
    const cancel = () => {
      over.abort();
      run.cancel();
    };
    const reporter = new JobReporter(this.requests, this.clock, {
      ...{ job, attempt, from: 'media', instance: this.config.mediaId },
      onStop: cancel,
    });
    const run = make(reporter);
    const toEnd = async () => {
      if (!(await reporter.begin(`started process media (pid=${process.pid})`))) return;
      const result = await atWorkFor(jobOf(reporter, job, signal), () => run.run());
      if (signal.aborted) reporter.cease();
      else await reporter.finish(result);
    };
    return { end: toEnd(), cancel };
  }
}
