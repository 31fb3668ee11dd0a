import { backoffMs, sleep } from '#kernel/backoff.js';
import { Cancelled, Unavailable } from '#kernel/errors.js';

const ASK_AGAIN = { firstMs: 200, maxMs: 10_000, jitter: 0.5 };

/** How an attempt that works by itself goes on and is stopped. */
export class RunControl {
  private readonly stopping = new AbortController();

  get signal(): AbortSignal {
    return this.stopping.signal;
  }

  /** Ends the attempt: whatever waits here throws with status 150, and so does the next step. */
  stop(): void {
    this.stopping.abort();
  }

  expectGoOn(): void {
    if (this.signal.aborted) throw new Cancelled();
  }

  /** Asks until there is an answer: silence is no reason to end, and none to do anything else. */
  async patiently<T>(ask: () => Promise<T>, onWait: (why: string) => void): Promise<T> {
    for (let attempt = 1; ; attempt += 1) {
      this.expectGoOn();
      try {
        return await ask();
      } catch (error) {
        if (!(error instanceof Unavailable)) throw error;
        if (attempt === 1) onWait(error.message);
        await sleep(backoffMs(attempt, ASK_AGAIN, 0.5), this.signal);
      }
    }
  }

  /** The same, unless the attempt is stopped first. */
  async orStopped<T>(answer: Promise<T>): Promise<T> {
    let stop: () => void = () => undefined;
    const stopped = new Promise<void>((resolve) => {
      stop = resolve;
      this.signal.addEventListener('abort', stop, { once: true });
    });
    this.expectGoOn();
    const first = await Promise.race([answer, stopped]);
    this.signal.removeEventListener('abort', stop);
    this.expectGoOn();
    return first as T;
  }
}
