import { Injectable } from '@nestjs/common';
import { ON_DEMAND_POLICY, type JobView } from '#contracts/job.js';
import { Clock } from '#kernel/clock.js';
import { UnitOfWork, type Work } from '#outbox/unit-of-work.js';
import { endingOf, withEnding, withFailedTry, withFailure } from './domain/due/history.js';
import { Histories, type EntryKey } from './persistence/histories.js';
import { Policies, type StoredPolicy } from './persistence/policies.js';
import { RunningJobs, type SubmittedJob } from './persistence/running-jobs.js';

/** Clocks of two hosts may differ by that much. */
const CLOCK_SKEW_MS = 60_000;

/**
 * Remembers what was submitted, what is incomplete and how it ended. Each change locks the entry's
 * history first, so that the end of a short job, heard before its start was written down, is not
 * forgotten.
 */
@Injectable()
export class JobRecord {
  constructor(
    private readonly unitOfWork: UnitOfWork,
    private readonly clock: Clock,
  ) {}

  async submitted(submitted: SubmittedJob): Promise<void> {
    await this.unitOfWork.run(async ({ db }) => {
      const known = await new Histories(db).lock(submitted);
      if (known === undefined || known.lastEndedJob >= submitted.job) return;
      await new RunningJobs(db).add(submitted, this.clock.now());
    });
  }

  /** The job manager would not even make a job. */
  async refused(key: EntryKey, status: number): Promise<void> {
    await this.unitOfWork.run(async ({ db }) => {
      const histories = new Histories(db);
      const known = await histories.lock(key);
      if (known === undefined) return;
      const failure = { job: null, at: this.clock.now(), status };
      await histories.save(key, withFailure(known.history, failure), null);
    });
  }

  /** What an event tells of a job; a message that is delivered again changes nothing. */
  async heard(messageId: string, view: JobView): Promise<void> {
    const news = newsOf(view);
    // What the scheduler submits it writes down itself.
    if (news === undefined || (news === 'moves' && view.origin === 'scheduled')) return;
    await this.unitOfWork.once(messageId, (work) => this.noteIn(work, view, news));
  }

  /** The same, for what was asked for. */
  async found(view: JobView): Promise<void> {
    const news = newsOf(view);
    if (news !== undefined) await this.unitOfWork.run((work) => this.noteIn(work, view, news));
  }

  /** A job that the job manager does not know any more. */
  async lost(job: number): Promise<void> {
    await this.unitOfWork.run(async ({ db }) => {
      await new RunningJobs(db).remove(job);
    });
  }

  private async noteIn({ db }: Work, view: JobView, news: News): Promise<void> {
    const { policy: name, schedule, client, job } = view;
    const key = { policy: name, schedule, client };
    const histories = new Histories(db);
    const known = await histories.lock(key);
    const stored = await new Policies(db).find(name);
    const isOurs = known !== undefined && stored !== undefined && isOf(stored, view);
    const running = new RunningJobs(db);
    if (news === 'ended') {
      const ending = endingOf(view, await running.remove(job));
      if (!isOurs || ending === undefined) return;
      await histories.save(key, withEnding(known.history, ending, this.clock.now()), job);
      return;
    }
    if (news === 'moves') await running.isNotIncomplete(job, view.revision);
    // What has ended may be told of late.
    if (!isOurs || (known.lastEndedJob >= job && !(await running.has(job)))) return;
    if (news === 'moves') return running.add({ ...key, job, dueAt: null }, this.clock.now());
    const failedAt = new Date(news.failedAt);
    const told = { failedAt, revision: view.revision, now: this.clock.now() };
    if (!(await running.isIncomplete({ ...key, job }, told))) return;
    const failure = { job, at: failedAt, status: news.status };
    await histories.save(key, withFailedTry(known.history, failure, told.now), null);
  }
}

/** It has ended, or it is incomplete since it has failed so, or it does whatever else. */
type News = 'ended' | 'moves' | NonNullable<JobView['outOfTries']>;

/** Of a stream it is no news, nor of one that is run again: its parent tells of all of them. */
function newsOf({ state, type, parent, stream, policy, outOfTries }: JobView): News | undefined {
  const isStream = parent !== null || stream !== null;
  if (type !== 'backup' || isStream || policy === ON_DEMAND_POLICY) return undefined;
  return state === 'done' ? 'ended' : (outOfTries ?? 'moves');
}

/** Jobs from before belong to an earlier policy of the same name. */
function isOf(policy: StoredPolicy, view: JobView): boolean {
  return new Date(view.createdAt).getTime() + CLOCK_SKEW_MS >= policy.createdAt.getTime();
}
