import { describe, expect, it } from '@jest/globals';
import { policySpec } from '#contracts/policy.js';
import { refuseTooLarge } from './policy-size.js';

const paths = (count: number, length = 5_000) =>
  Array.from({ length: count }, (_, i) => `/${'x'.repeat(length)}/${i}`);
const check = (rest: object) => () =>
  refuseTooLarge(policySpec.parse({ name: 'p', clients: ['web1'], selections: ['/etc'], ...rest }));

describe('a policy that is too large', () => {
  it('is one whose lists do not fit into the message that asks for a job', () => {
    expect(check({ selections: paths(100) })).not.toThrow();
    expect(check({ selections: paths(170) })).toThrow(/^policy\.selections: .* of "web1" have 8/);
    expect(check({ selections: ['/é'.repeat(5_000)], excludes: paths(150, 4_000) })).not.toThrow();
    // Each path is in it once more for its stream.
    expect(check({ selections: paths(90), multipleStreams: true })).toThrow('at most 800000 fit');
    const perClient = { web1: { selections: paths(170) } };
    expect(check({ perClient })).toThrow(/^policy\.perClient\.web1: /);
  });

  it('is one that could not be shown, whatever each job has of it', () => {
    const clients = ['web1', 'web2', 'web3'];
    const perClient = Object.fromEntries(
      clients.map((name) => [name, { excludes: paths(85, 4_000) }]),
    );
    expect(check({ clients, perClient })).toThrow(/^policy: it has 10\d{5} bytes/);
  });
});
