import { Injectable, Logger } from '@nestjs/common';
import { Clock } from '#kernel/clock.js';
import { messageOf } from '#kernel/errors.js';
import { STATUS } from '#kernel/status.js';
import { JobReporter } from '#messaging/job-reporter.js';
import { Requests } from '#messaging/requests.js';
import type { Startable } from '#service/lifecycle.js';
import { AgentConfig } from '../config.js';
import { verdictAfter, type HookVerdict } from '../domain/hook-verdict.js';
import { HookNotes, type HookNote } from './hook-notes.js';
import { HookRunner } from './hook-runner.js';
import { endGroup, isStillRunning, processName } from './process-group.js';

type Verdict = Omit<HookVerdict, 'undo'>;
export type Log = (severity: 'info' | 'warning' | 'error', text: string) => void;

/**
 * The hooks that run after backups: none is forgotten. What is owed is noted down before the backup's first hook, and
 * the note goes when the hook behind it has run. What a crash has left is run at the next start, or before the
 * job's next attempt, whichever comes first.
 */
@Injectable()
export class AfterHooks implements Startable {
  private readonly logger = new Logger('hooks');
  private readonly notes: HookNotes;
  /** By attempt: what runs now is not run a second time beside it. */
  private readonly settling = new Map<string, Promise<Verdict>>();
  /** Attempts of this process; their own ends settle them. */
  private readonly live = new Set<string>();
  /** Left by an earlier process and settled by this one: who had read the note before does not do it again. */
  private readonly settled = new Set<string>();

  constructor(
    private readonly config: AgentConfig,
    private readonly runner: HookRunner,
    private readonly requests: Requests,
    private readonly clock: Clock,
  ) {
    this.notes = new HookNotes(config.folder);
  }

  /** Begins with what was left by a process that is no more; nobody waits for that. */
  start(): void {
    void this.settleLeft().catch((error: unknown) => this.logger.error(error));
  }

  async stop(): Promise<void> {
    await Promise.allSettled(this.settling.values());
  }

  /** Notes down that the hook must run, whatever happens. To be called before anything else is done. */
  async owe(note: HookNote): Promise<void> {
    const key = keyOf(note);
    this.live.add(key);
    this.settled.delete(key);
    try {
      await this.notes.write(note);
    } catch (error) {
      this.live.delete(key);
      throw error;
    }
  }

  /** Notes down which process runs for the backup, so that a crash does not leave it behind. Never rejects. */
  async running(note: HookNote, pid: number): Promise<void> {
    await this.tried(this.notes.write({ ...note, process: processName(pid) }));
  }

  /** The backup's first hook has failed by its own account: there is nothing to undo. */
  async release(note: HookNote): Promise<void> {
    await this.tried(this.notes.remove(note));
    this.live.delete(keyOf(note));
  }

  /** Runs the hook behind a backup that ended with `status`; resolves with how that went. */
  async settle(note: HookNote, status: number, log: Log): Promise<Verdict> {
    const key = keyOf(note);
    const known = this.settling.get(key);
    if (known) return known;
    const own = this.run(note, status, log);
    this.settling.set(key, own);
    try {
      return await own;
    } finally {
      this.settling.delete(key);
      this.live.delete(key);
    }
  }

  /** Runs what a crash has left of a job before its next attempt begins. */
  async settleJob(job: number, log: Log): Promise<void> {
    for (const note of await this.notes.ofJob(job)) await this.settleNote(note, log);
  }

  /** It is told in the job's log, whether the job goes on or not, and in the agent's own. */
  private async settleLeft(): Promise<void> {
    for (const { job, attempt } of await this.notes.all()) {
      const reporter = new JobReporter(this.requests, this.clock, {
        ...{ job, attempt, from: 'agent', instance: this.config.client },
        onStop: () => undefined,
      });
      await this.settleJob(job, (severity, text) => {
        reporter.log(severity, text);
        if (severity === 'info') this.logger.log(`job ${job}: ${text}`);
        else this.logger.warn(`job ${job}: ${text}`);
      });
      reporter.cease();
    }
  }

  private async settleNote(note: HookNote, log: Log): Promise<void> {
    const key = keyOf(note);
    if (this.live.has(key) || this.settled.has(key)) return;
    const { script } = note.after;
    log('warning', `the agent ended before the hook ${script} had run: running it now`);
    const { status, message } = await this.settle(note, STATUS.clientAborted, log);
    if (status !== STATUS.ok) log('error', message);
  }

  private async run(note: HookNote, status: number, log: Log): Promise<Verdict> {
    const { after, job, policy, schedule } = note;
    // Of a crash: the hook in front, or an earlier try at this one, may run still.
    if (note.process && isStillRunning(note.process)) await endGroup(note.process.pid);
    log('info', `running hook ${after.script}`);
    let noted: Promise<void> = Promise.resolve();
    const end = await this.runner.run(
      after,
      { job, policy, schedule, status },
      {
        onStarted: (pid) => (noted = this.running(note, pid)),
        onLine: (line) => log('info', `${after.script}: ${line}`),
      },
    );
    await noted;
    // One that could not even be started is owed still.
    if (end.type !== 'not started') {
      if (!this.live.has(keyOf(note))) this.settled.add(keyOf(note));
      await this.tried(this.notes.remove(note));
    }
    const verdict = verdictAfter(after.script, end);
    if (verdict.status === STATUS.ok) log('info', `hook ${after.script} has ended`);
    return verdict;
  }

  /** What cannot be noted down costs nobody a backup: at the worst a hook runs once more. */
  private async tried(noting: Promise<void>): Promise<void> {
    try {
      await noting;
    } catch (error) {
      this.logger.error(`a note of a hook cannot be written: ${messageOf(error)}`);
    }
  }
}

function keyOf({ job, attempt }: HookNote): string {
  return `${job}-${attempt}`;
}
