import { backoffMs, sleep } from '#kernel/backoff.js';
import { Unavailable } from '#kernel/errors.js';
import type { CommitOffers } from '../commits/commit-offers.js';
import type { CopyName } from './running-task.js';

export interface DrainOptions {
  readonly offers: Pick<CommitOffers, 'openOf' | 'offerDirectly'>;
  /** Ends what writes a copy; says how much of that goes on after the time. */
  readonly stopWriters: (of: CopyName, patienceMs: number) => Promise<number>;
  /** In all. Default 3 s. */
  readonly patienceMs?: number;
}

const PATIENCE_MS = 3_000;
const LOOK_AGAIN = { firstMs: 20, maxMs: 500, jitter: 0 };

/**
 * Ends what writes a copy here, and brings what is sealed of it to the catalog, past the broker. Says
 * within some seconds how much is still open: sealed without a verdict, or being written.
 */
export async function drainCopy(of: CopyName, options: DrainOptions): Promise<number> {
  const { offers, stopWriters, patienceMs = PATIENCE_MS } = options;
  const begun = performance.now();
  const leftMs = () => patienceMs - (performance.now() - begun);
  let running = await stopWriters(of, patienceMs / 2);
  for (let attempt = 1; ; attempt += 1) {
    const open = offers.openOf(of);
    if (open.length === 0 && running === 0) return 0;
    await atMost(leftMs(), offerQuietly(offers, open));
    const left = offers.openOf(of).length;
    if ((left === 0 && running === 0) || leftMs() <= 0) return left + running;
    await sleep(backoffMs(attempt, LOOK_AGAIN, 1));
    if (running > 0) running = await stopWriters(of, 0);
  }
}

async function atMost(ms: number, work: Promise<void>): Promise<void> {
  const done = new AbortController();
  await Promise.race([work, sleep(ms, done.signal)]);
  done.abort();
}

/** A catalog that does not answer leaves them open; they go on to be offered the ordinary way. */
async function offerQuietly(
  offers: DrainOptions['offers'],
  fragmentIds: readonly string[],
): Promise<void> {
  try {
    await offers.offerDirectly(fragmentIds);
  } catch (error) {
    if (!(error instanceof Unavailable)) throw error;
  }
}
