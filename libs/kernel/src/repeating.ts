import { sleep } from './backoff.js';

export interface RepeatingOptions {
  /** The rest between two rounds; a function is asked again during the rest. */
  readonly everyMs: number | (() => number);
  readonly work: (signal: AbortSignal) => Promise<void>;
  /** Told of what `work` threw; the next round comes all the same. */
  readonly onError: (error: unknown) => void;
}

/** A rest that became shorter meanwhile ends within that. */
const LOOK_AGAIN_MS = 1_000;

/**
 * Does the same work again and again, one round at a time with a rest in between, until `stop`. A part of a service
 * that does nothing else extends it.
 */
export class Repeating {
  private readonly stopping = new AbortController();
  private loop: Promise<void> = Promise.resolve();

  constructor(private readonly options: RepeatingOptions) {}

  start(): void {
    this.loop = this.run();
  }

  /** Resolves when the round that runs has ended. */
  async stop(): Promise<void> {
    this.stopping.abort();
    await this.loop;
  }

  private async run(): Promise<void> {
    const { work, onError } = this.options;
    while (!this.stopping.signal.aborted) {
      try {
        await work(this.stopping.signal);
      } catch (error) {
        onError(error);
      }
      await this.rest();
    }
  }

  private async rest(): Promise<void> {
    const { everyMs } = this.options;
    const { signal } = this.stopping;
    if (typeof everyMs === 'number') return sleep(everyMs, signal);
    for (let restedMs = 0; restedMs < everyMs() && !signal.aborted;) {
      const ms = Math.min(LOOK_AGAIN_MS, everyMs() - restedMs);
      await sleep(ms, signal);
      restedMs += ms;
    }
  }
}
