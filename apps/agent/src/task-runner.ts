import { Injectable } from '@nestjs/common';
import type { TaskResult } from '#contracts/job.js';
import type { AgentTask } from '#contracts/task.js';
import { Clock } from '#kernel/clock.js';
import { messageOf, PermanentError, Unavailable } from '#kernel/errors.js';
import { LongTasks } from '#kernel/long-tasks.js';
import { JobReporter } from '#messaging/job-reporter.js';
import { Requests } from '#messaging/requests.js';
import { VERSION } from '#service/version.js';
import { CannotResume } from './backup/checkpoint-file.js';
import { BackupTask } from './backup-task.js';
import { AgentConfig } from './config.js';
import { RestoreTask } from './restore-task.js';

/** Runs one task from its first report to its last. */
@Injectable()
export class TaskRunner {
  private readonly tasks = new LongTasks();

  constructor(
    private readonly requests: Requests,
    private readonly clock: Clock,
    private readonly config: AgentConfig,
    private readonly backup: BackupTask,
    private readonly restore: RestoreTask,
  ) {}

  async run(task: AgentTask, abort: AbortController): Promise<void> {
    if (task.type === 'cancel') return;
    const end = this.tasks.begin();
    try {
      await this.runToItsEnd(task, abort);
    } finally {
      end();
    }
  }

  private async runToItsEnd(
    task: Exclude<AgentTask, { type: 'cancel' }>,
    abort: AbortController,
  ): Promise<void> {
    const { job, attempt } = task;
    const reporter = new JobReporter(this.requests, this.clock, {
      job,
      attempt,
      from: 'agent',
      instance: this.config.client,
      onStop: () => abort.abort(),
    });
    const first = `started process agent (pid=${process.pid}, version ${VERSION}) on ${this.config.client}`;
    if (isHarmless(task)) reporter.beginUnasked(first);
    else if (!(await reporter.begin(first))) return;
    const result = await this.perform(task, reporter, abort.signal);
    await reporter.finish(result);
  }

  private async perform(
    task: Exclude<AgentTask, { type: 'cancel' }>,
    reporter: JobReporter,
    signal: AbortSignal,
  ): Promise<TaskResult> {
    try {
      return task.type === 'backup'
        ? await this.backup.run(task, reporter, signal)
        : await this.restore.run(task, reporter, signal);
    } catch (error) {
      // Cancelled by the job manager; or this process ends, and another one can go on.
      if (signal.reason instanceof Unavailable) {
        return { status: signal.reason.status, message: signal.reason.message };
      }
      if (signal.aborted) return { status: 150, message: '' };
      if (error instanceof CannotResume) {
        return { status: error.status, message: error.message, cannotResume: true };
      }
      if (error instanceof PermanentError || error instanceof Unavailable) {
        return { status: error.status, message: error.message };
      }
      reporter.log(
        'error',
        error instanceof Error ? (error.stack ?? error.message) : String(error),
      );
      return { status: 50, message: `The agent failed: ${messageOf(error)}` };
    }
  }
}

/** Where its attempt is over, a backup finds no media server that knows its token; but its hooks would have run. */
function isHarmless(task: AgentTask): boolean {
  return task.type === 'backup' && !task.hooks;
}
