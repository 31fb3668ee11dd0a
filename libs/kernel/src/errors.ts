import { STATUS } from './status.js';
/**
 * The rules for errors. Whoever throws knows whether trying again can help, so the class says it:
 *
 * - `PermanentError`: trying again changes nothing; a person has to mend something. Its message is
 *   shown to users as it is: it says what is wrong and what to do. It is the only class whose text
 *   leaves a service.
 * - `Unavailable`: something that should come back is away; callers retry with back-off.
 * - anything else is a bug: it is logged with its stack, and the caller sees "internal error".
 */
export class PermanentError extends Error {
  override readonly name: string = 'PermanentError';

  constructor(
    /** A status code of the field (see `status.ts`). */
    readonly status: number,
    message: string,
    /** Names the input that is wrong, where one input is. */
    readonly field?: string,
  ) {
    super(message);
  }
}

/** The request holds something that is not allowed; `field` names it. Status 20. */
export class InvalidInput extends PermanentError {
  override readonly name: string = 'InvalidInput';

  constructor(message: string, field?: string) {
    super(STATUS.invalidParameter, message, field);
  }
}

/** Nothing is known under that name. Status 227, or one that fits the kind of thing better. */
export class NotFound extends PermanentError {
  override readonly name: string = 'NotFound';

  constructor(kind: string, id: string, status = STATUS.notFound, hint = '') {
    super(status, `There is no ${kind} "${id}".${hint ? ` ${hint}` : ''}`, kind);
  }
}

/** Somebody ended the job or the wait that this was part of. Status 150. */
export class Cancelled extends PermanentError {
  override readonly name: string = 'Cancelled';

  constructor() {
    super(STATUS.cancelled, 'termination requested by administrator');
  }
}

/** A service, broker, database or disk is out of reach for now. Retried with back-off. */
export class Unavailable extends Error {
  override readonly name: string = 'Unavailable';

  constructor(
    message: string,
    /** A status code of the field, for the job that has to give up in the end. */
    readonly status = STATUS.cannotConnect,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/** The text of anything that was thrown. */
export function messageOf(error: unknown): string {
  return textField(error, 'message') ?? String(error);
}

/** The system's error code (`ENOENT`, `ECONNREFUSED`), where there is one. */
export function codeOf(error: unknown): string | undefined {
  return textField(error, 'code');
}

/**
 * Read by shape, not by class: an error of one of Node's own modules is no instance of the `Error`
 * that a test runner's sandbox, or a worker, knows.
 */
function textField(error: unknown, field: string): string | undefined {
  if (typeof error !== 'object' || error === null) return undefined;
  const value: unknown = Reflect.get(error, field);
  return typeof value === 'string' ? value : undefined;
}
