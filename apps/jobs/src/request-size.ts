import { InvalidInput } from '#kernel/errors.js';

/** What a job's tasks say of its request, and all that they say besides, has to fit into a message of 1 MB. */
export const REQUEST_BYTES_MAX = 850_000;

/** Throws `InvalidInput` for a request whose tasks could not be sent; it names the largest field. */
export function refuseTooLarge(request: object): void {
  const sizes = Object.entries(request).map(([field, value]) => ({ field, bytes: bytesOf(value) }));
  const bytes = sizes.reduce((sum, one) => sum + one.bytes, 0);
  if (bytes <= REQUEST_BYTES_MAX) return;
  const { field } = sizes.reduce((most, one) => (one.bytes > most.bytes ? one : most));
  throw new InvalidInput(
    `${field}: the request has ${bytes} bytes; a job takes at most ${REQUEST_BYTES_MAX}. ` +
      'Divide it among several jobs.',
    field,
  );
}

function bytesOf(value: unknown): number {
  return value === undefined ? 0 : Buffer.byteLength(JSON.stringify(value));
}
