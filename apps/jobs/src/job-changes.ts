import { Injectable } from '@nestjs/common';
import { subjectToken } from '#contracts/contract.js';
import {
  jobActive,
  jobDone,
  jobProgressed,
  jobQueued,
  type JobView,
  type LogLine,
} from '#contracts/job.js';
import { agentTaskMessage, mediaTaskMessage } from '#contracts/task.js';
import { Clock } from '#kernel/clock.js';
import { NotFound } from '#kernel/errors.js';
import { randomToken } from '#kernel/ids.js';
import { UnitOfWork, type Work } from '#outbox/unit-of-work.js';
import { decide } from './domain/decide.js';
import type { Effect, Input } from './domain/input.js';
import type { Job } from './domain/job.js';
import { cancelTasks, tasksOf, type Tasks } from './domain/tasks.js';
import { stateOf, viewOf } from './domain/view.js';
import { Jobs, type SavedJob } from './persistence/jobs.js';

/** The one way in which a job changes: lock, decide, save, log, send, announce. */
@Injectable()
export class JobChanges {
  constructor(
    private readonly unit: UnitOfWork,
    private readonly clock: Clock,
  ) {}

  /** Makes a job from a draft; a request id that was seen before gives the job it made then. */
  create(draft: Job, requestId: string | undefined, line: string): Promise<number> {
    const now = this.clock.now();
    return this.unit.run(async (work) => {
      const jobs = new Jobs(work.db);
      const { job, created } = await jobs.create(draft, now, requestId);
      if (created) {
        const queued = { ...draft, job };
        await jobs.appendLog(job, [this.line(queued, { severity: 'info', text: line })]);
        work.announce(jobQueued, String(job), viewOf(queued, now));
      }
      return job;
    });
  }

  /** Feeds one input to a job. Throws `NotFound` (805) for a number that is none. */
  apply(job: number, input: Input): Promise<Job> {
    return this.update(job, (saved) => decide(saved.job, input, this.clock.now()));
  }

  /** A change that is no decision (progress, a sign of life), with lines for the log. */
  note(job: number, change: (job: Job) => Job, lines: readonly LogLine[] = []): Promise<Job> {
    return this.update(job, (saved) => ({ job: change(saved.job), effects: [] }), lines);
  }

  private update(
    number: number,
    change: (saved: SavedJob) => { job: Job; effects: readonly Effect[] },
    lines: readonly LogLine[] = [],
  ): Promise<Job> {
    return this.unit.run(async (work) => {
      const jobs = new Jobs(work.db);
      const saved = await jobs.lock(number);
      if (!saved) throw new NotFound('job', String(number), 805, 'See: holdfast jobs');
      const { job, effects } = change(saved);
      const own = effects.flatMap((effect) => (effect.type === 'log' ? [effect] : []));
      await jobs.appendLog(number, [...lines, ...own.map((effect) => this.line(job, effect))]);
      if (job === saved.job) return job;
      await jobs.save(job);
      this.sendTasks(work, job, effects);
      announceChange(work, { before: saved.job, after: job, createdAt: saved.createdAt });
      return job;
    });
  }

  private sendTasks(work: Work, job: Job, effects: readonly Effect[]): void {
    for (const { type } of effects) {
      if (type === 'send-tasks') send(work, tasksOf(job, randomToken));
      if (type === 'cancel-tasks') send(work, cancelTasks(job));
    }
  }

  private line(job: Job, entry: { severity: LogLine['severity']; text: string }): LogLine {
    return {
      at: this.clock.now().toISOString(),
      attempt: job.attempt,
      process: 'jobs',
      pid: process.pid,
      severity: entry.severity,
      text: entry.text,
    };
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

function announceChange(work: Work, change: { before: Job; after: Job; createdAt: Date }): void {
  const { before, after } = change;
  const view: JobView = viewOf(after, change.createdAt);
  const subject = String(after.job);
  if (stateOf(before) !== stateOf(after)) {
    work.announce(stateOf(after) === 'active' ? jobActive : jobDone, subject, view);
  } else if (before.progress !== after.progress) {
    work.announce(jobProgressed, subject, view);
  }
}
