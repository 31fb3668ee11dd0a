import { hostname } from 'node:os';
import { subjectToken } from '#contracts/contract.js';
import type { LogLine } from '#contracts/job.js';
import { agentTaskMessage, mediaTaskMessage } from '#contracts/task.js';
import { NotFound } from '#kernel/errors.js';
import { randomToken, uuidv7 } from '#kernel/ids.js';
import { STATUS } from '#kernel/status.js';
import type { Work } from '#outbox/unit-of-work.js';
import { decide } from './domain/decide.js';
import { firstLine } from './domain/draft.js';
import type { Decision, Effect, Input } from './domain/input.js';
import type { Job } from './domain/job.js';
import { cancelTasks, tasksOf, type Tasks } from './domain/tasks.js';
import { stateOf } from './domain/view.js';
import { announceChange, announceNew } from './job-events.js';
import type { LoggedLine } from './persistence/job-log.js';
import type { SavedJob } from './persistence/job-row.js';
import { Jobs } from './persistence/jobs.js';

const HOST = hostname();

/** A decision about one job, and lines for its log that come from elsewhere. */
export interface Change {
  readonly decide: (job: Job) => Decision;
  readonly lines?: readonly LogLine[];
}

export interface New {
  readonly draft: Job;
  readonly requestId: string | undefined;
}

/**
 * The jobs of one transaction: lock them, decide, and at the end write all that has changed at once:
 * rows, log lines, messages, events.
 */
export class JobLedger {
  private readonly jobs: Jobs;
  private readonly rows = new Map<number, SavedJob>();
  private readonly changed = new Set<number>();
  private readonly lines: LoggedLine[] = [];
  /** Parents of what has come into another state. */
  private readonly parents = new Set<number>();

  constructor(
    private readonly work: Work,
    private readonly now: Date,
  ) {
    this.jobs = new Jobs(work.db);
  }

  /** Children are to be locked before their parents; one call locks in the order of the numbers. */
  async lock(numbers: readonly number[]): Promise<void> {
    const unknown = [...new Set(numbers)].filter((job) => !this.rows.has(job));
    for (const saved of await this.jobs.lock(unknown)) this.rows.set(saved.job.job, saved);
  }

  /** A job with its children, which come first. Throws `NotFound` (805). */
  async lockFamily(job: number): Promise<number[]> {
    const children = await this.jobs.childrenOf(job);
    await this.lock(children);
    await this.lock([job]);
    this.find(job);
    return [...children, job];
  }

  /** As it is now, in this transaction. Throws `NotFound` (805). */
  find(job: number): Job {
    const saved = this.rows.get(job);
    if (!saved) throw new NotFound('job', String(job), STATUS.noSuchJob, 'See: holdfast jobs');
    return saved.job;
  }

  feed(job: number, input: Input): Job {
    return this.change(job, { decide: (saved) => decide(saved, input, this.now) });
  }

  /** Throws what `decide` does, and `MessageTooLarge`: then what is to be written is not whole. */
  change(number: number, change: Change): Job {
    const before = this.find(number);
    const { createdAt } = this.rows.get(number)!;
    const decision = change.decide(before);
    const isSame = decision.job === before;
    const after = isSame ? before : { ...decision.job, revision: before.revision + 1 };
    const own = decision.effects.flatMap((effect) => (effect.type === 'log' ? [effect] : []));
    this.log(number, [...(change.lines ?? []), ...own.map((entry) => this.line(after, entry))]);
    if (isSame) return before;
    this.rows.set(number, { job: after, createdAt });
    this.changed.add(number);
    sendTasks(this.work, after, decision.effects);
    announceChange(this.work, { before, after, createdAt });
    const isNews = stateOf(before) !== stateOf(after) || before.startedAt !== after.startedAt;
    if (after.parent !== null && isNews) this.parents.add(after.parent);
    return after;
  }

  /** Numbers in the order of the drafts; a request id that was seen before gives the job of then. */
  async insert(all: readonly New[]): Promise<{ job: number; created: boolean }[]> {
    const expected = await this.jobs.lastLike(all.map(({ draft }) => draft));
    const rows = all.map(({ draft, requestId }, index) => ({
      requestId: requestId ?? uuidv7(this.now),
      draft: { ...draft, expected: expected[index] ?? null },
    }));
    const made = await this.jobs.create(rows, this.now);
    return rows.map(({ draft, requestId }) => {
      const job = made.created.get(requestId);
      made.created.delete(requestId);
      if (job === undefined) return { job: made.known.get(requestId)!, created: false };
      const text = firstLine(draft);
      this.log(job, [this.line(draft, { severity: 'info', text })]);
      announceNew(this.work, { ...draft, job }, this.now);
      return { job, created: true };
    });
  }

  /** Has parents look at their children: those that are given, and those of what has changed. */
  async gather(parents: readonly number[] = []): Promise<void> {
    const all = [...new Set([...this.parents, ...parents])].sort((a, b) => a - b);
    this.parents.clear();
    if (all.length === 0) return;
    await this.write();
    await this.lock(all);
    for (const parent of all.filter((job) => this.rows.has(job))) {
      this.feed(parent, { type: 'children', children: await this.jobs.children(parent) });
    }
  }

  /** To be called at the end. */
  async write(): Promise<void> {
    const jobs = [...this.changed].map((job) => this.rows.get(job)!.job);
    this.changed.clear();
    await this.jobs.write(jobs, this.lines.splice(0));
  }

  private log(job: number, lines: readonly LogLine[]): void {
    this.lines.push(...lines.map((line) => ({ job, line })));
  }

  private line(job: Job, entry: { severity: LogLine['severity']; text: string }): LogLine {
    return {
      at: this.now.toISOString(),
      attempt: job.attempt,
      process: 'jobs',
      host: HOST,
      pid: process.pid,
      severity: entry.severity,
      text: entry.text,
    };
  }
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
