import { DatabaseError } from './database.js';

type Mode = 'share' | 'update';

interface Waiter<T> {
  readonly owner: T;
  readonly mode: Mode;
  readonly granted: () => void;
  readonly refused: (error: Error) => void;
}

interface Lock<T> {
  readonly holders: Map<T, Mode>;
  waiters: Waiter<T>[];
}

/**
 * Locks on rows (and on unique values), held to the end of their owner. Whoever closes a circle of
 * waiting is refused with `deadlock`.
 */
export class RowLocks<T> {
  private readonly locks = new Map<string, Lock<T>>();

  /** Whether somebody else holds it in a way that excludes `mode`. */
  isBlocked(row: string, owner: T, mode: Mode): boolean {
    const lock = this.locks.get(row);
    return lock !== undefined && blockers(lock, owner, mode).length > 0;
  }

  /** Undefined when it has the lock already; else a promise of it. */
  take(row: string, owner: T, mode: Mode): Promise<void> | undefined {
    const lock = this.lockOf(row);
    if (!this.isBlocked(row, owner, mode)) {
      hold(lock, owner, mode);
      return undefined;
    }
    if (this.waitsFor(lock, mode, owner)) return Promise.reject(new DatabaseError('deadlock'));
    return new Promise((granted, refused) => {
      lock.waiters.push({ owner, mode, granted, refused });
    });
  }

  /** The owner has ended: what it held is free, what it waited for it needs no more. */
  release(owner: T): void {
    for (const [row, lock] of this.locks) {
      lock.waiters = lock.waiters.filter((waiter) => {
        if (waiter.owner === owner) waiter.refused(new DatabaseError('away'));
        return waiter.owner !== owner;
      });
      lock.holders.delete(owner);
      this.grant(row, lock);
      if (lock.holders.size === 0 && lock.waiters.length === 0) this.locks.delete(row);
    }
  }

  private grant(row: string, lock: Lock<T>): void {
    for (const waiter of [...lock.waiters]) {
      if (this.isBlocked(row, waiter.owner, waiter.mode)) continue;
      lock.waiters = lock.waiters.filter((each) => each !== waiter);
      hold(lock, waiter.owner, waiter.mode);
      waiter.granted();
    }
  }

  /** Whether one of those who stand in the way waits, perhaps through others, for `owner`. */
  private waitsFor(lock: Lock<T>, mode: Mode, owner: T): boolean {
    const seen = new Set<T>();
    const toVisit = blockers(lock, owner, mode);
    for (let next = toVisit.pop(); next !== undefined; next = toVisit.pop()) {
      if (next === owner) return true;
      if (seen.has(next)) continue;
      seen.add(next);
      toVisit.push(...this.blockersOf(next));
    }
    return false;
  }

  private blockersOf(waiting: T): T[] {
    return [...this.locks.values()].flatMap((lock) =>
      lock.waiters
        .filter(({ owner }) => owner === waiting)
        .flatMap(({ owner, mode }) => blockers(lock, owner, mode)),
    );
  }

  private lockOf(row: string): Lock<T> {
    const found = this.locks.get(row) ?? { holders: new Map<T, Mode>(), waiters: [] };
    this.locks.set(row, found);
    return found;
  }
}

function blockers<T>(lock: Lock<T>, owner: T, mode: Mode): T[] {
  const inTheWay = [...lock.holders].filter(
    ([holder, held]) => holder !== owner && excludes(held, mode),
  );
  return inTheWay.map(([holder]) => holder);
}

function hold<T>(lock: Lock<T>, owner: T, mode: Mode): void {
  if (lock.holders.get(owner) !== 'update') lock.holders.set(owner, mode);
}

function excludes(held: Mode, wanted: Mode): boolean {
  return held === 'update' || wanted === 'update';
}
