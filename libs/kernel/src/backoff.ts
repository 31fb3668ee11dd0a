export interface BackoffOptions {
  readonly firstMs: number;
  readonly maxMs: number;
  /** Share of the delay that is left to chance, 0 to 1: it keeps a crowd from coming at once. */
  readonly jitter: number;
}

/** The delay before try number `attempt` (1 is the first retry): doubling, bounded, jittered. */
export function backoffMs(attempt: number, options: BackoffOptions, chance: number): number {
  const doubled = options.firstMs * 2 ** Math.min(attempt - 1, 30);
  const bounded = Math.min(doubled, options.maxMs);
  return Math.round(bounded * (1 - options.jitter + options.jitter * chance));
}

/** Waits; resolves early, without an error, when `signal` fires. */
export function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted) return resolve();
    const done = () => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal?.addEventListener('abort', done, { once: true });
  });
}
