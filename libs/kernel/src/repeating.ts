import { sleep } from './backoff.js';

export interface RepeatingOptions {
  readonly everyMs: number;
  readonly work: (signal: AbortSignal) => Promise<void>;
  /** Told of what `work` threw; the next round comes all the same. */
  readonly onError: (error: unknown) => void;
}

/** Does the same work again and again, one round at a time with a rest in between, until `stop`. */
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
    const { everyMs, work, onError } = this.options;
    while (!this.stopping.signal.aborted) {
      try {
        await work(this.stopping.signal);
      } catch (error) {
        onError(error);
      }
      await sleep(everyMs, this.stopping.signal);
    }
  }
}
