import { describe, expect, it } from '@jest/globals';
import { policySpec } from '#contracts/policy.js';
import { unitWarnings, withoutPlanned } from './warnings.js';

const volume = { pool: 'main', path: '/v', freeBytes: 1, totalBytes: 2 };

describe('warnings', () => {
  it('tell of a unit that can never be granted', () => {
    const servers = [{ mediaId: 'media1', volumes: [volume] }];
    expect(unitWarnings({ mediaId: 'media1', pool: 'main' }, servers)).toEqual([]);
    expect(unitWarnings({ mediaId: 'media2', pool: 'main' }, servers)).toEqual([
      'media server media2 has never been heard of',
    ]);
    expect(unitWarnings({ mediaId: 'media1', pool: 'tape' }, servers)).toEqual([
      'media server media1 has no volume of pool tape',
    ]);
  });

  it('do not tell of storage that the same files make', () => {
    const policy = policySpec.parse({
      ...{ name: 'web', clients: ['web1'], selections: ['/etc'], storage: 'fast' },
      schedules: [
        { name: 'a', type: 'full', storage: 'slow' },
        { name: 'b', type: 'full', storage: 'none' },
      ],
    });
    const warnings = [
      'policy.storage',
      'policy.schedules[0].storage',
      'policy.schedules[1].storage',
      'policy.clients[0]',
    ].map((field) => ({ field, message: 'm' }));
    const left = withoutPlanned(warnings, policy, new Set(['fast', 'slow']));
    expect(left.map(({ field }) => field)).toEqual([
      'policy.schedules[1].storage',
      'policy.clients[0]',
    ]);
  });
});
