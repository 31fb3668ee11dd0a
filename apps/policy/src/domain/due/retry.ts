import { STATUS } from '#kernel/status.js';
import type { Timed } from './cause.js';
import type { Failure } from './history.js';

/** The field's rule: so many tries in a sliding window, and a pause between two of them. */
export interface RetryRule {
  readonly triesMax: number;
  readonly windowMs: number;
  readonly delayMs: number;
}

export interface RetryInput extends RetryRule {
  /** Failures of what users of the client started: they count, but cause no try. */
  readonly userFailures: readonly Failure[];
  /** How long after the last failure the next regular run comes at the latest. */
  readonly regularMs: number;
}

/** When it may be tried again after failures, the oldest first; undefined if there was none. */
export function retryAfter(failures: readonly Failure[], rule: RetryInput): Timed | undefined {
  const failure = failures.at(-1);
  if (failure === undefined) return undefined;
  const { delayMs, triesMax, windowMs } = rule;
  const failedAt = failure.at.getTime();
  const delayed = failedAt + delayMs;
  if (failure.job === null) return { at: delayed, cause: { kind: 'refused', failure, delayMs } };
  // A window that ends later must not swallow the next regular run.
  const nextRun = failedAt + Math.max(rule.regularMs, delayMs);
  // Whoever ended it does not want it back at once.
  if (failure.status === STATUS.cancelled) {
    const at = Math.min(failedAt + windowMs, nextRun);
    return { at, cause: { kind: 'cancelled', failure, aloneMs: at - failedAt } };
  }
  const oldest = triesSince(failedAt - windowMs, [failures, rule.userFailures]).at(-triesMax);
  if (oldest !== undefined) {
    const at = Math.max(delayed, Math.min(oldest + windowMs, nextRun));
    return { at, cause: { kind: 'tries-used', failure, tries: triesMax, windowMs } };
  }
  const kind = failure.status === STATUS.windowClosed ? 'window-closed' : 'failed';
  return { at: delayed, cause: { kind, failure, delayMs } };
}

/** When the tries after `since` failed, in order. A refusal and a closed window use up none. */
function triesSince(since: number, lists: readonly (readonly Failure[])[]): number[] {
  // What never started is no try: what it waited for was busy until the window closed.
  return lists
    .flatMap((failures) =>
      failures.filter(({ job, status }) => job !== null && status !== STATUS.windowClosed),
    )
    .map(({ at }) => at.getTime())
    .filter((at) => at > since)
    .sort((a, b) => a - b);
}
