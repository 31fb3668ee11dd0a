import type { Failure, GoodBackup } from './history.js';

/** Why a schedule of a client is due when it is, or why never by itself. */
export type Cause =
  | { readonly kind: 'inactive' | 'by-hand' | 'no-run-day' | 'never-open' | 'new' }
  | { readonly kind: 'user' }
  | { readonly kind: 'ahead'; readonly base: GoodBackup }
  | { readonly kind: 'effective' | 'held'; readonly until: number }
  | {
      readonly kind: 'frequency';
      readonly frequency: string;
      readonly base: GoodBackup;
      readonly fuller: boolean;
    }
  | { readonly kind: 'calendar'; readonly day: number }
  | {
      readonly kind: 'refused' | 'failed' | 'window-closed';
      readonly failure: Failure;
      readonly delayMs: number;
    }
  | { readonly kind: 'cancelled'; readonly failure: Failure; readonly aloneMs: number }
  | {
      readonly kind: 'tries-used';
      readonly failure: Failure;
      readonly tries: number;
      readonly windowMs: number;
    };

/** An instant in milliseconds, and why it is that one. */
export interface Timed {
  readonly at: number;
  readonly cause: Cause;
}

/** The latest of them; of two at the same instant the first. */
export function latest(first: Timed, ...others: readonly (Timed | undefined)[]): Timed {
  let found = first;
  for (const other of others) if (other !== undefined && other.at > found.at) found = other;
  return found;
}
