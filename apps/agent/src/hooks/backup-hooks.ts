import { Injectable } from '@nestjs/common';
import type { TaskResult } from '#contracts/job.js';
import type { JobHook, JobHooks } from '#contracts/jobs/hooks.js';
import type { AgentTask } from '#contracts/task.js';
import { PermanentError, Unavailable } from '#kernel/errors.js';
import { STATUS } from '#kernel/status.js';
import type { JobReporter } from '#messaging/job-reporter.js';
import { verdictBefore, type HookVerdict } from '../domain/hook-verdict.js';
import { AfterHooks, type Log } from './after-hooks.js';
import type { HookNote } from './hook-notes.js';
import { HookRunner } from './hook-runner.js';

type Task = Extract<AgentTask, { type: 'backup' }>;

export interface HookedAttempt {
  readonly task: Task;
  readonly reporter: Pick<JobReporter, 'log' | 'progress'>;
  readonly signal: AbortSignal;
}

/** A hook did not let the backup begin. */
export class HookFailed extends PermanentError {
  override readonly name = 'HookFailed';
}

/** Runs an attempt at a backup between its hooks. */
@Injectable()
export class BackupHooks {
  /** By job: its attempts come one after the other, each with its thaw. */
  private readonly jobs = new Map<number, Promise<unknown>>();

  constructor(
    private readonly runner: HookRunner,
    private readonly afterHooks: AfterHooks,
  ) {}

  /**
   * Runs the hook before, the backup, and the hook after it: once the first has succeeded, or was cut short, the last
   * one runs, whatever becomes of the backup. When it fails behind a good backup, the result says so in `afterwards`.
   * @throws HookFailed (73, 74, 77) when the backup could not begin, and whatever `backUp` throws
   */
  async around(attempt: HookedAttempt, backUp: () => Promise<TaskResult>): Promise<TaskResult> {
    const { job, hooks } = attempt.task;
    if (!hooks?.before && !hooks?.after) return backUp();
    const earlier = this.jobs.get(job);
    const own = (async () => {
      await earlier?.catch(() => undefined); // it has reported that itself
      return this.hooked(attempt, hooks, backUp);
    })();
    this.jobs.set(job, own);
    try {
      return await own;
    } finally {
      if (this.jobs.get(job) === own) this.jobs.delete(job);
    }
  }

  private async hooked(
    attempt: HookedAttempt,
    hooks: JobHooks,
    backUp: () => Promise<TaskResult>,
  ): Promise<TaskResult> {
    const { task, signal } = attempt;
    const log = logOf(attempt);
    await this.afterHooks.settleJob(task.job, log);
    await this.check(hooks);
    signal.throwIfAborted();
    const note = hooks.after && noteOf(task, hooks.after);
    if (note) await this.afterHooks.owe(note);
    if (hooks.before) await this.before(hooks.before, attempt, note);
    let result: TaskResult;
    try {
      result = await backUp();
    } catch (error) {
      await this.afterFailure(attempt, note, statusOf(error, signal));
      throw error;
    }
    if (!note) return result;
    if (result.status > STATUS.partial) {
      await this.afterFailure(attempt, note, result.status);
      return result;
    }
    const verdict = await this.after(attempt, note, result.status);
    if (verdict.status === STATUS.ok) return result;
    log('error', `${verdict.message} The backup itself is whole, and is kept.`);
    return { ...result, afterwards: verdict };
  }

  /** Both are looked at before anything is frozen that nobody could thaw. */
  private async check({ before, after }: JobHooks): Promise<void> {
    const inFront = before && (await this.runner.objection(before));
    if (before && inFront !== undefined) {
      const { status, message } = verdictBefore(before.script, notStarted(inFront));
      throw new HookFailed(status, message);
    }
    const behind = after && (await this.runner.objection(after));
    if (after && behind !== undefined) {
      throw new HookFailed(
        STATUS.commandFailed,
        `The hook ${after.script} cannot be run, so the backup was not begun: ${behind}`,
      );
    }
  }

  private async before(
    hook: JobHook,
    attempt: HookedAttempt,
    note: HookNote | undefined,
  ): Promise<void> {
    const { task, reporter, signal } = attempt;
    const log = logOf(attempt);
    const { job, policy, schedule } = task;
    say(attempt, hook);
    log('info', `running hook ${hook.script}`);
    let noted: Promise<void> = Promise.resolve();
    const end = await this.runner.run(
      hook,
      { job, policy, schedule },
      {
        signal,
        onStarted: (pid) => {
          if (note) noted = this.afterHooks.running(note, pid);
        },
        onLine: (line) => log('info', `${hook.script}: ${line}`),
      },
    );
    await noted;
    reporter.progress({ currentPath: '' });
    const verdict = verdictBefore(hook.script, end);
    if (verdict.status === STATUS.ok) {
      log('info', `hook ${hook.script} has ended`);
      return;
    }
    if (note && verdict.undo) await this.afterFailure(attempt, note, verdict.status);
    else if (note) await this.afterHooks.release(note);
    signal.throwIfAborted();
    throw new HookFailed(verdict.status, verdict.message);
  }

  private async afterFailure(
    attempt: HookedAttempt,
    note: HookNote | undefined,
    status: number,
  ): Promise<void> {
    if (!note) return;
    const verdict = await this.after(attempt, note, status);
    if (verdict.status !== STATUS.ok) logOf(attempt)('error', verdict.message);
  }

  /** Neither a cancelled job nor an agent that is being stopped keeps it from running. */
  private async after(
    attempt: HookedAttempt,
    note: HookNote,
    status: number,
  ): Promise<Omit<HookVerdict, 'undo'>> {
    say(attempt, note.after);
    const verdict = await this.afterHooks.settle(note, status, logOf(attempt));
    attempt.reporter.progress({ currentPath: '' });
    return verdict;
  }
}

function say({ reporter }: HookedAttempt, { script }: JobHook): void {
  reporter.progress({ currentPath: `running hook ${script}` });
}

function logOf({ reporter }: HookedAttempt): Log {
  return (severity, text) => reporter.log(severity, text);
}

function noteOf({ job, attempt, policy, schedule }: Task, after: JobHook): HookNote {
  const who = { job, attempt, policy, ...(schedule === undefined ? {} : { schedule }) };
  return { version: 1, ...who, after, process: null };
}

function notStarted(why: string) {
  return { type: 'not started', why } as const;
}

function statusOf(error: unknown, signal: AbortSignal): number {
  if (signal.reason instanceof Unavailable) return signal.reason.status;
  if (signal.aborted) return STATUS.cancelled;
  const known = error instanceof PermanentError || error instanceof Unavailable;
  return known ? error.status : STATUS.clientAborted;
}
