import { describe, expect, it } from '@jest/globals';
import { REQUEST_BYTES_MAX, refuseTooLarge } from './request-size.js';

describe('a request that makes a job', () => {
  const withExcludes = (bytes: number) => ({
    ...{ client: 'web1', selections: ['/srv'], requestId: undefined },
    excludes: ['x'.repeat(bytes)],
  });

  it('may have so many bytes', () => {
    expect(() => refuseTooLarge(withExcludes(REQUEST_BYTES_MAX - 100))).not.toThrow();
  });

  it('is refused by the name of its largest field where its tasks would not fit into a message', () => {
    expect(() => refuseTooLarge(withExcludes(REQUEST_BYTES_MAX))).toThrow(
      expect.objectContaining({ status: 20, field: 'excludes' }),
    );
    // Bytes count, not characters.
    const wide = { selections: ['/ä'.repeat(REQUEST_BYTES_MAX / 3)], excludes: [] };
    expect(() => refuseTooLarge(wide)).toThrow(/^selections: the request has \d+ bytes/);
  });
});
