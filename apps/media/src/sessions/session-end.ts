import { PermanentError, Unavailable } from '#kernel/errors.js';
import { STATUS } from '#kernel/status.js';

/** How a session ended that did not end well. */
export interface SessionFailure {
  /** A status code of the field. */
  readonly status: number;
  readonly message: string;
  /** What was thrown, if that was a fault of this program: to be logged with its stack. */
  readonly bug?: unknown;
}

export function failureOf(error: unknown): SessionFailure {
  if (error instanceof PermanentError || error instanceof Unavailable) {
    return { status: error.status, message: error.message };
  }
  return {
    status: STATUS.systemError,
    message: 'system error occurred: internal error',
    bug: error,
  };
}
