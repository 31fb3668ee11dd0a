import { Injectable } from '@nestjs/common';
import { ON_DEMAND_POLICY, type JobView } from '#contracts/job.js';
import { Clock } from '#kernel/clock.js';
import { UnitOfWork, type Work } from '#outbox/unit-of-work.js';
import { endingOf, withEnding, withFailure } from './domain/due/history.js';
import { Histories, type EntryKey } from './persistence/histories.js';
import { Policies } from './persistence/policies.js';
import { RunningJobs, type SubmittedJob } from './persistence/running-jobs.js';

/** Clocks of two hosts may differ by that much. */
const CLOCK_SKEW_MS = 60_000;

/**
 * Remembers what was submitted and how it ended. Each change locks the entry's history first, so
 * that the end of a short job, heard before its start was written down, is not forgotten.
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

  /** A message that is delivered again changes nothing. */
  async heardEnd(messageId: string, view: JobView): Promise<void> {
    if (!concernsPolicy(view)) return;
    await this.unitOfWork.once(messageId, (work) => this.endIn(work, view));
  }

  /** The same, for an end that was asked for. */
  async foundEnd(view: JobView): Promise<void> {
    await this.unitOfWork.run((work) => this.endIn(work, view));
  }

  /** A job that the job manager does not know any more. */
  async lost(job: number): Promise<void> {
    await this.unitOfWork.run(async ({ db }) => {
      await new RunningJobs(db).remove(job);
    });
  }

  private async endIn({ db }: Work, view: JobView): Promise<void> {
    if (!concernsPolicy(view)) return;
    const { policy: name, schedule, client } = view;
    const key = { policy: name, schedule, client };
    const histories = new Histories(db);
    const known = await histories.lock(key);
    const ending = endingOf(view, await new RunningJobs(db).remove(view.job));
    const stored = await new Policies(db).find(name);
    if (ending === undefined || known === undefined || stored === undefined) return;
    const createdAt = new Date(view.createdAt).getTime();
    if (createdAt + CLOCK_SKEW_MS < stored.createdAt.getTime()) return;
    await histories.save(key, withEnding(known.history, ending), view.job);
  }
}

/** A stream's end is no backup's: its parent's end tells of all of them. */
function concernsPolicy({ state, type, parent, policy }: JobView): boolean {
  const isBackup = state === 'done' && type === 'backup' && (parent ?? null) === null;
  return isBackup && policy !== ON_DEMAND_POLICY;
}
