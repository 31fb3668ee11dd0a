import { backoffMs, type BackoffOptions } from '#kernel/backoff.js';

const RETRY: BackoffOptions = { firstMs: 250, maxMs: 30_000, jitter: 0.5 };

/** Media servers that did not answer, each left alone for a while, longer each time. */
export class AbsentMedia {
  private readonly failures = new Map<string, number>();
  private readonly timers = new Map<string, NodeJS.Timeout>();

  constructor(private readonly onReturn: () => void) {}

  get names(): string[] {
    return [...this.timers.keys()];
  }

  /** Whether each of these is left alone now. */
  haveAll(mediaIds: ReadonlySet<string>): boolean {
    return [...mediaIds].every((mediaId) => this.timers.has(mediaId));
  }

  /** Returns for how long, or undefined if it is left alone already. */
  leaveAlone(media: string): number | undefined {
    if (this.timers.has(media)) return undefined;
    const failures = (this.failures.get(media) ?? 0) + 1;
    this.failures.set(media, failures);
    const waitMs = backoffMs(failures, RETRY, 0.5);
    const timer = setTimeout(() => {
      this.timers.delete(media);
      this.onReturn();
    }, waitMs);
    this.timers.set(media, timer);
    return waitMs;
  }

  /** It answered. */
  isBack(media: string): void {
    this.failures.delete(media);
  }

  forget(): void {
    for (const timer of this.timers.values()) clearTimeout(timer);
    this.timers.clear();
  }
}
