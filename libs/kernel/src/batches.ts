import { failureKind } from './database-failure.js';

interface Pending<T, R> {
  readonly item: T;
  readonly resolve: (value: R) => void;
  readonly reject: (error: unknown) => void;
}

/** Outages in a row, behind which the rest of a batch is not tried. */
const OUTAGES_MAX = 2;

export interface BatchesOptions<T, R> {
  readonly batchMax: number;
  /** Batches at work at the same time. */
  readonly parallelMax: number;
  /** Two of the same key never go together; if left out, whatever comes does. */
  readonly keyOf?: (item: T) => string;
  /** Does all of it or nothing. For each item, in order, a function that returns or throws its answer. */
  readonly run: (items: readonly T[]) => Promise<readonly (() => R)[]>;
}

/**
 * Lets callers share a transaction (or whatever `run` does) without knowing of each other: what comes while others are at
 * work goes together. Nobody waits for company. A batch that fails is tried item by item, so that
 * one that cannot be done takes no other with it.
 */
export class Batches<T, R> {
  private pending: Pending<T, R>[] = [];
  private running = 0;

  constructor(private readonly options: BatchesOptions<T, R>) {}

  add(item: T): Promise<R> {
    return new Promise<R>((resolve, reject) => {
      this.pending.push({ item, resolve, reject });
      this.next();
    });
  }

  private next(): void {
    const { batchMax, parallelMax } = this.options;
    while (this.pending.length > 0 && this.running < parallelMax) {
      this.running += 1;
      void this.work(this.take(batchMax)).finally(() => {
        this.running -= 1;
        this.next();
      });
    }
  }

  private take(batchMax: number): Pending<T, R>[] {
    const { keyOf } = this.options;
    if (!keyOf) return this.pending.splice(0, batchMax);
    const batch = new Map<string, Pending<T, R>>();
    const later: Pending<T, R>[] = [];
    for (const one of this.pending) {
      const key = keyOf(one.item);
      if (batch.size < batchMax && !batch.has(key)) batch.set(key, one);
      else later.push(one);
    }
    this.pending = later;
    return [...batch.values()];
  }

  private async work(batch: readonly Pending<T, R>[]): Promise<void> {
    try {
      const answers = await this.options.run(batch.map(({ item }) => item));
      batch.forEach((one, index) => settle(one, answers[index]!));
    } catch (error) {
      if (batch.length === 1) return batch[0]!.reject(error);
      await this.oneByOne(batch);
    }
  }

  /** Where the database is away for several in a row, it is for the others, too. What is wrong with an item is its own. */
  private async oneByOne(batch: readonly Pending<T, R>[]): Promise<void> {
    let outages = 0;
    let last: unknown;
    for (const one of batch) {
      if (outages >= OUTAGES_MAX) one.reject(last);
      else {
        try {
          const [answer] = await this.options.run([one.item]);
          settle(one, answer!);
          outages = 0;
        } catch (error) {
          one.reject(error);
          last = error;
          outages = failureKind(error) === 'outage' ? outages + 1 : 0;
        }
      }
    }
  }
}

function settle<T, R>({ resolve, reject }: Pending<T, R>, answer: () => R): void {
  try {
    resolve(answer());
  } catch (error) {
    reject(error);
  }
}
