import { Injectable } from '@nestjs/common';
import type { TaskResult } from '#contracts/job.js';
import type { AgentTask } from '#contracts/task.js';
import { Clock } from '#kernel/clock.js';
import { messageOf, PermanentError, Unavailable } from '#kernel/errors.js';
import { LongTasks } from '#kernel/c-library/long-tasks.js';
import { STATUS } from '#kernel/status.js';
import { JobReporter } from '#messaging/job-reporter.js';
import { Requests } from '#messaging/requests.js';
import { Turns } from '#service/turns.js';
import { VERSION } from '#service/version.js';
import { CannotResume } from './backup/checkpoint-file.js';
import { BackupTask } from './backup-task.js';
import { AgentConfig } from './config.js';
import { RestoreTask } from './restore-task.js';

type Task = Exclude<AgentTask, { type: 'cancel' }>;

/** Tasks of one agent that work side by side: each has buffers and threads of its own. */
const TASKS_AT_WORK_MAX = 16;

/** Runs one task from its first report to its last. Where many are at work, it says so and waits for its turn. */
@Injectable()
export class TaskRunner {
  private readonly turns = new Turns(TASKS_AT_WORK_MAX);
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
    task: Task,
    reporter: JobReporter,
    signal: AbortSignal,
  ): Promise<TaskResult> {
    try {
      return await this.inTurn(task, reporter, signal);
    } catch (error) {
      // Cancelled by the job manager; or this process ends, and another one can go on.
      if (signal.reason instanceof Unavailable) {
        return { status: signal.reason.status, message: signal.reason.message };
      }
      if (signal.aborted) return { status: STATUS.cancelled, message: '' };
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
      return { status: STATUS.clientAborted, message: `The agent failed: ${messageOf(error)}` };
    }
  }

  private inTurn(task: Task, reporter: JobReporter, signal: AbortSignal): Promise<TaskResult> {
    let hasWaited = false;
    const onWait = () => {
      hasWaited = true;
      reporter.log('info', `waiting: ${TASKS_AT_WORK_MAX} jobs are at work on this client`);
      reporter.progress({ waitingFor: 'its turn on the client' });
    };
    const work = async () => {
      if (hasWaited) reporter.progress({ waitingFor: '' });
      const end = this.tasks.begin();
      try {
        return task.type === 'backup'
          ? await this.backup.run(task, reporter, signal)
          : await this.restore.run(task, reporter, signal);
      } finally {
        end();
      }
    };
    return this.turns.take(work, { signal, onWait });
  }
}

/** Where its attempt is over, a backup finds no media server that knows its token; but its hooks would have run. */
function isHarmless(task: AgentTask): boolean {
  return task.type === 'backup' && !task.hooks;
}
