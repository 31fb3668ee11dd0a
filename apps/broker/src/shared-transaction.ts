import { PermanentError } from '#kernel/errors.js';
import { UnitOfWork, type Work } from '#outbox/unit-of-work.js';

type Change<T> = (work: Work) => Promise<T>;

interface Pending {
  readonly change: Change<unknown>;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: unknown) => void;
}

/** Changes that one transaction holds at most, so that other replicas get their turn. */
const CHANGES_MAX = 64;

/**
 * Runs changes one after the other under a lock that all replicas share. What comes while one
 * transaction runs shares the next one: all wait for a single commit, instead of each for its own
 * with the lock held. Its promise settles after the commit.
 *
 * A change that throws `PermanentError` fails alone, and must not have written by then what should
 * not stay. Any other error takes back the whole transaction and fails all changes in it.
 */
export class SharedTransaction {
  private readonly pending: Pending[] = [];
  private running = false;

  constructor(
    private readonly unitOfWork: UnitOfWork,
    /** Names the lock within the database. */
    private readonly lock: string,
  ) {}

  run<T>(change: Change<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      this.pending.push({ change, resolve: resolve as Pending['resolve'], reject });
      if (!this.running) void this.drain();
    });
  }

  private async drain(): Promise<void> {
    this.running = true;
    while (this.pending.length > 0) {
      const batch = this.pending.splice(0, CHANGES_MAX);
      try {
        const settle = await this.unitOfWork.run((work) => this.apply(batch, work));
        for (const tell of settle) tell();
      } catch (error) {
        for (const { reject } of batch) reject(error);
      }
    }
    this.running = false;
  }

  /** Returns what to tell the callers once it is committed. */
  private async apply(batch: readonly Pending[], work: Work): Promise<(() => void)[]> {
    await work.db.query('SELECT pg_advisory_xact_lock(hashtextextended($1, 0))', [this.lock]);
    const settle: (() => void)[] = [];
    for (const { change, resolve, reject } of batch) {
      try {
        const value = await change(work);
        settle.push(() => resolve(value));
      } catch (error) {
        if (!(error instanceof PermanentError)) throw error;
        settle.push(() => reject(error));
      }
    }
    return settle;
  }
}
