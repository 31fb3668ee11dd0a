import { codeOf, messageOf, PermanentError, Unavailable } from '#kernel/errors.js';
import { statusText } from '#kernel/status.js';
import { isUsage } from './exit-codes.js';

/** True for what no person is told how to mend: neither refused nor away, but broken. */
export function isBug(error: unknown): boolean {
  return !(error instanceof PermanentError) && !(error instanceof Unavailable);
}

/** What a person reads: what is wrong, and the status where the service gave one. */
export function messageOfFailure(error: unknown): string {
  if (error instanceof PermanentError) {
    if (isUsage(error)) return error.message;
    return `${error.message}\nStatus ${error.status}: ${statusText(error.status)}.`;
  }
  if (error instanceof Unavailable) return error.message;
  const code = codeOf(error);
  return `${messageOf(error)}${code ? ` (${code})` : ''}\nSet HOLDFAST_DEBUG=1 to see where this comes from.`;
}
