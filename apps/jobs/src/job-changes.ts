import { Injectable } from '@nestjs/common';
import type { LogLine } from '#contracts/job.js';
import { Batches } from '#kernel/batches.js';
import { Clock } from '#kernel/clock.js';
import { PermanentError } from '#kernel/errors.js';
import { UnitOfWork } from '#outbox/unit-of-work.js';
import { decide } from './domain/decide.js';
import { bornOf, type Draft } from './domain/draft.js';
import type { Input } from './domain/input.js';
import type { Job } from './domain/job.js';
import { JobLedger, type Change } from './job-ledger.js';
import { Jobs } from './persistence/jobs.js';

/**
 * What one transaction takes of jobs that have nothing to do with each other. Changes of the same job come close together,
 * from those who work for it: two transactions at a time would mostly wait for each other.
 */
const CHANGED_TOGETHER = { batchMax: 64, parallelMax: 1 };
const MADE_TOGETHER = { batchMax: 64, parallelMax: 2 };

interface Update {
  readonly job: number;
  readonly change: Change;
}

interface Creation {
  readonly draft: Draft;
  readonly requestId: string | undefined;
}

interface Hearing {
  readonly note: (job: Job) => Job;
  readonly input?: Input | undefined;
  readonly lines: readonly LogLine[];
}

export interface Created {
  /** The parent's, where there is one. */
  readonly job: number;
  /** All that were made now. */
  readonly all: readonly number[];
}

/** The one way in which jobs change: lock, decide, save, log, send, announce, in one transaction. */
@Injectable()
export class JobChanges {
  private readonly updates: Batches<Update, Job>;
  private readonly creations: Batches<Creation, Created>;

  constructor(
    private readonly unit: UnitOfWork,
    private readonly clock: Clock,
  ) {
    this.updates = new Batches({ ...CHANGED_TOGETHER, run: (items) => this.updateAll(items) });
    this.creations = new Batches({ ...MADE_TOGETHER, run: (items) => this.createAll(items) });
  }

  /**
   * Makes the jobs of a draft; a request id that was seen before gives the job it made then. Says
   * which are new.
   */
  create(draft: Draft, requestId: string | undefined): Promise<Created> {
    return this.creations.add({ draft, requestId });
  }

  /** Feeds one input to a job. Throws `NotFound` (805) for a number that is none. */
  apply(job: number, input: Input): Promise<Job> {
    const change = { decide: (saved: Job) => decide(saved, input, this.clock.now()) };
    return this.updates.add({ job, change });
  }

  /** A change that is no decision. */
  note(job: number, change: (job: Job) => Job): Promise<Job> {
    return this.hear(job, { note: change, lines: [] });
  }

  /** Notes something about a job, and then feeds it an input, in one change. */
  hear(job: number, { note, input, lines }: Hearing): Promise<Job> {
    const change = (saved: Job) => {
      const noted = note(saved);
      return input ? decide(noted, input, this.clock.now()) : { job: noted, effects: [] };
    };
    return this.updates.add({ job, change: { decide: change, lines } });
  }

  /**
   * Feeds one input to a job and to all its children. `check` sees the job as it is, with the lock
   * held, and throws what the asker is told. Returns the numbers of all.
   */
  command(job: number, input: Input, check: (job: Job) => void): Promise<number[]> {
    return this.inLedger(async (ledger) => {
      const family = await ledger.lockFamily(job);
      check(ledger.find(job));
      return feedAll(ledger, family, input);
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
  ): Promise<{ job: number; touched: readonly number[] }> {
    return this.unit.run(async (work) => {
      const ledger = new JobLedger(work, this.clock.now());
      const family = await ledger.lockFamily(job);
      const known = requestId && (await new Jobs(work.db).byRequest([requestId])).get(requestId);
      if (known) return { job: known, touched: [] };
      const touched = await feedAll(ledger, family, { type: 'cancel' });
      const [made] = await make(ledger, [{ draft: again(ledger.find(job)), requestId }]);
      await ledger.write();
      return { job: made!.job, touched: [...touched, ...made!.all] };
    });
  }

  /** Has a parent look at its children. */
  gather(parent: number): Promise<void> {
    return this.inLedger((ledger) => ledger.gather([parent]));
  }

  private inLedger<T>(work: (ledger: JobLedger) => Promise<T>): Promise<T> {
    return this.unit.run(async (unit) => {
      const ledger = new JobLedger(unit, this.clock.now());
      const result = await work(ledger);
      await ledger.write();
      return result;
    });
  }

  private updateAll(items: readonly Update[]): Promise<(() => Job)[]> {
    return this.inLedger(async (ledger) => {
      await ledger.lock(items.map(({ job }) => job));
      const answers = items.map(({ job, change }) => once(() => ledger.change(job, change)));
      await ledger.gather();
      return answers;
    });
  }

  private createAll(items: readonly Creation[]): Promise<(() => Created)[]> {
    return this.inLedger(async (ledger) => {
      const made = await make(ledger, items);
      return made.map((one) => () => one);
    });
  }
}

/** Children first; their parent then sees what has become of them. */
async function feedAll(
  ledger: JobLedger,
  family: readonly number[],
  input: Input,
): Promise<number[]> {
  for (const job of family) ledger.feed(job, input);
  await ledger.gather(family.length > 1 ? family.slice(-1) : []);
  return [...family];
}

async function make(ledger: JobLedger, items: readonly Creation[]): Promise<Created[]> {
  const parents = await ledger.insert(
    items.map(({ draft, requestId }) => ({ draft: draft.job, requestId })),
  );
  const children = items.flatMap(({ draft }, index) => {
    const { job: parent, created } = parents[index]!;
    return created ? bornOf(parent, draft) : [];
  });
  const born = await ledger.insert(children.map((draft) => ({ draft, requestId: undefined })));
  return parents.map(({ job, created }) => {
    const own = born.filter((_, index) => children[index]!.parent === job);
    return { job, all: created ? [job, ...own.map((child) => child.job)] : [job] };
  });
}

/**
 * Decides now; whoever asks for the answer gets the refusal as an error of its own. With anything else that is
 * thrown, half of the change may be done: then nothing of the transaction happens.
 */
function once(change: () => Job): () => Job {
  try {
    const job = change();
    return () => job;
  } catch (error) {
    if (!(error instanceof PermanentError)) throw error;
    return () => {
      throw error;
    };
  }
}
