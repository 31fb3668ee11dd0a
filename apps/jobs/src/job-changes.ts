import { hostname } from 'node:os';
import { Injectable } from '@nestjs/common';
import { subjectToken } from '#contracts/contract.js';
import type { LogLine } from '#contracts/job.js';
import { agentTaskMessage, mediaTaskMessage } from '#contracts/task.js';
import { Clock } from '#kernel/clock.js';
import { NotFound } from '#kernel/errors.js';
import { randomToken } from '#kernel/ids.js';
import { UnitOfWork, type Work } from '#outbox/unit-of-work.js';
import { decide } from './domain/decide.js';
import { firstLine, type Draft } from './domain/draft.js';
import type { Decision, Effect, Input } from './domain/input.js';
import type { Job } from './domain/job.js';
import { cancelTasks, tasksOf, type Tasks } from './domain/tasks.js';
import { stateOf } from './domain/view.js';
import { announceChange, announceNew } from './job-events.js';
import { JobLog } from './persistence/job-log.js';
import type { SavedJob } from './persistence/job-row.js';
import { Jobs } from './persistence/jobs.js';

const HOST = hostname();

/** A decision about one job, and lines for its log that come from elsewhere. */
interface Change {
  readonly decide: (job: Job) => Decision;
  readonly lines?: readonly LogLine[];
}

/** The one way in which a job changes: lock, decide, save, log, send, announce. */
@Injectable()
export class JobChanges {
  constructor(
    private readonly unit: UnitOfWork,
    private readonly clock: Clock,
  ) {}

  /**
   * Makes the jobs of a draft in one transaction; a request id that was seen before gives the job it
   * made then. The number is the parent's, where there is one.
   */
  create(
    draft: Draft,
    requestId: string | undefined,
  ): Promise<{ job: number; all: readonly number[] }> {
    return this.unit.run((work) => this.make(work, draft, requestId));
  }

  /** Feeds one input to a job. Throws `NotFound` (805) for a number that is none. */
  apply(job: number, input: Input): Promise<Job> {
    return this.update(job, { decide: (saved) => decide(saved, input, this.clock.now()) });
  }

  /** A change that is no decision (progress, a sign of life), with lines for the log. */
  note(job: number, change: (job: Job) => Job, lines: readonly LogLine[] = []): Promise<Job> {
    return this.update(job, { decide: (saved) => ({ job: change(saved), effects: [] }), lines });
  }

  /**
   * Feeds one input to a job and to all its children. `check` sees the job as it is, with the lock
   * held, and throws what the asker is told. Returns the numbers of all.
   */
  command(job: number, input: Input, check: (job: Job) => void): Promise<number[]> {
    return this.unit.run(async (work) => {
      const family = await this.family(work, job);
      check(family.at(-1)!.job);
      return this.feed(work, family, input);
    });
  }

  /**
   * Makes a new job of an old one's request, and cancels the old one where it is open still: both or
   * none of it. Returns the new number and those that are to be looked at.
   */
  restart(
    job: number,
    again: (job: Job) => Draft,
    requestId: string | undefined,
  ): Promise<{ job: number; touched: number[] }> {
    return this.unit.run(async (work) => {
      const known = requestId && (await new Jobs(work.db).byRequest(requestId));
      if (known) return { job: known, touched: [] };
      const family = await this.family(work, job);
      const touched = await this.feed(work, family, { type: 'cancel' });
      const made = await this.make(work, again(family.at(-1)!.job), requestId);
      return { job: made.job, touched: [...touched, ...made.all] };
    });
  }

  /** Has a parent look at its children. */
  gather(parent: number): Promise<void> {
    return this.unit.run((work) => this.gatherIn(work, parent));
  }

  private async make(
    work: Work,
    { job: draft, children }: Draft,
    requestId: string | undefined,
  ): Promise<{ job: number; all: number[] }> {
    const { job, created } = await this.insert(work, draft, requestId);
    const all = [job];
    if (!created) return { job, all };
    for (const child of children) {
      all.push((await this.insert(work, { ...child, parent: job }, undefined)).job);
    }
    return { job, all };
  }

  private async insert(work: Work, draft: Job, requestId: string | undefined) {
    const now = this.clock.now();
    const { job, created } = await new Jobs(work.db).create(draft, now, requestId);
    if (created) {
      const text = firstLine(draft);
      await new JobLog(work.db).append(job, [this.line(draft, { severity: 'info', text })]);
      announceNew(work, { ...draft, job }, now);
    }
    return { job, created };
  }

  private async family(work: Work, job: number): Promise<SavedJob[]> {
    const family = await new Jobs(work.db).lockFamily(job);
    if (family.length === 0) throw noJob(job);
    return family;
  }

  /** Children first; their parent then sees what has become of them. */
  private async feed(work: Work, family: readonly SavedJob[], input: Input): Promise<number[]> {
    const now = this.clock.now();
    for (const saved of family) {
      await this.change(work, saved, { decide: (job) => decide(job, input, now) });
    }
    const { job } = family.at(-1)!;
    if (job.type === 'parent') await this.gatherIn(work, job.job);
    else if (job.parent !== null) await this.gatherIn(work, job.parent);
    return family.map((saved) => saved.job.job);
  }

  private update(number: number, change: Change): Promise<Job> {
    return this.unit.run(async (work) => {
      const saved = await new Jobs(work.db).lock(number);
      if (!saved) throw noJob(number);
      const after = await this.change(work, saved, change);
      const before = saved.job;
      const isNews = stateOf(before) !== stateOf(after) || before.startedAt !== after.startedAt;
      if (after.parent !== null && isNews) await this.gatherIn(work, after.parent);
      return after;
    });
  }

  /** The parent is locked behind its children, always. */
  private async gatherIn(work: Work, parent: number): Promise<void> {
    const jobs = new Jobs(work.db);
    const saved = await jobs.lock(parent);
    if (!saved) return;
    const children = await jobs.children(parent);
    const input = { type: 'children', children } as const;
    await this.change(work, saved, { decide: (job) => decide(job, input, this.clock.now()) });
  }

  private async change(work: Work, saved: SavedJob, change: Change): Promise<Job> {
    const { job: decided, effects } = change.decide(saved.job);
    const isSame = decided === saved.job;
    const job = isSame ? decided : { ...decided, revision: saved.job.revision + 1 };
    const own = effects.flatMap((effect) => (effect.type === 'log' ? [effect] : []));
    const lines = [...(change.lines ?? []), ...own.map((effect) => this.line(job, effect))];
    await new JobLog(work.db).append(job.job, lines);
    if (isSame) return job;
    await new Jobs(work.db).save(job);
    sendTasks(work, job, effects);
    announceChange(work, { before: saved.job, after: job, createdAt: saved.createdAt });
    return job;
  }

  private line(job: Job, entry: { severity: LogLine['severity']; text: string }): LogLine {
    return {
      at: this.clock.now().toISOString(),
      attempt: job.attempt,
      process: 'jobs',
      host: HOST,
      pid: process.pid,
      severity: entry.severity,
      text: entry.text,
    };
  }
}

function noJob(job: number): NotFound {
  return new NotFound('job', String(job), 805, 'See: holdfast jobs');
}

function sendTasks(work: Work, job: Job, effects: readonly Effect[]): void {
  for (const { type } of effects) {
    if (type === 'send-tasks') send(work, tasksOf(job, randomToken));
    if (type === 'cancel-tasks') send(work, cancelTasks(job));
  }
}

function send(work: Work, tasks: Tasks): void {
  for (const { mediaId, task } of tasks.media) {
    work.send(mediaTaskMessage, [mediaId, String(task.job)], task);
  }
  if (!tasks.agent) return;
  const { client, task } = tasks.agent;
  work.send(agentTaskMessage, [subjectToken(client), String(task.job)], task);
}
