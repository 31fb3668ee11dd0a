import { PermanentError, Unavailable } from '#kernel/errors.js';
import { STATUS } from '#kernel/status.js';

/** What the shell sees. Scripts rely on these: docs/cli.md lists them. */
export const EXIT = {
  ok: 0,
  /** The job ended with status 1. */
  partial: 1,
  /** The operation failed; the status says how. */
  failed: 2,
  /** Bad arguments, or a file with errors in it. */
  usage: 64,
  /** The cluster, or a service of it, is out of reach. */
  unavailable: 69,
  interrupted: 130,
} as const;

/** The command line itself is wrong. Status 144. */
export class UsageError extends PermanentError {
  override readonly name: string = 'UsageError';

  constructor(message: string, field?: string) {
    super(STATUS.invalidUsage, message, field);
  }
}

/** The exit code for a job that ended with `status`. */
export function exitCodeOfStatus(status: number): number {
  if (status === STATUS.ok) return EXIT.ok;
  return status === STATUS.partial ? EXIT.partial : EXIT.failed;
}

/** The exit code for something that was thrown. */
export function exitCodeOfError(error: unknown): number {
  if (error instanceof Unavailable) return EXIT.unavailable;
  return isUsage(error) ? EXIT.usage : EXIT.failed;
}

/** Whether what was thrown says that the command line, or an input, is wrong. */
export function isUsage(error: unknown): boolean {
  return (
    error instanceof PermanentError &&
    [STATUS.invalidParameter, STATUS.invalidUsage].includes(error.status)
  );
}
