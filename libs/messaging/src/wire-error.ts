import { z } from 'zod';
import { PermanentError, Unavailable } from '#kernel/errors.js';
import { STATUS, statusText } from '#kernel/status.js';

/** ADR-32: a reply with this header is an error. */
export const ERROR_HEADER = 'Nats-Service-Error';
export const ERROR_CODE_HEADER = 'Nats-Service-Error-Code';

/**
 * The body says the same as the headers, because scripts around `nats req` see only the body.
 * `status` is a status code of the field.
 */
export const errorBody = z.object({
  error: z.object({
    status: z.int(),
    statusText: z.string(),
    message: z.string(),
    field: z.string().optional(),
    retryable: z.boolean(),
  }),
});
export type ErrorBody = z.infer<typeof errorBody>;

/** What a caller may know of an error. The text of a bug stays inside; it is in the service's log. */
export function toErrorBody(error: unknown): ErrorBody {
  if (error instanceof PermanentError) {
    const { status, message, field } = error;
    return body({ status, message, retryable: false, ...(field ? { field } : {}) });
  }
  if (error instanceof Unavailable) {
    return body({ status: error.status, message: error.message, retryable: true });
  }
  return body({
    status: STATUS.systemError,
    message: 'The service failed on this request; its log says why.',
    retryable: true,
  });
}

function body(error: Omit<ErrorBody['error'], 'statusText'>): ErrorBody {
  return { error: { ...error, statusText: statusText(error.status) } };
}
