import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { stringify } from 'yaml';
import { policySpec } from '#contracts/policy.js';
import { differences } from './differences.js';
import { kindNamed } from './kind-table.js';
import { manifestOf } from './manifest-text.js';
import { parseManifests } from './manifests.js';

const kind = kindNamed('Policy')!;
const base = { name: 'web', clients: ['web1'], selections: ['/etc'] };
/** The ways in which a schedule says when. */
const WHEN = [
  { frequency: '7d', retention: 3 },
  { calendar: { weekdays: [{ day: 'fri', weeks: ['last'] }], monthDays: [1, 'last'] } },
  {
    frequency: '1d',
    windows: [
      { days: ['mon'], from: '22:00', for: '8h' },
      { from: '01:00', for: '1h' },
    ],
  },
];
const name = fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9._-]{0,10}$/);

describe('what `get` prints', () => {
  it('has kind and name first, and no value that is the default', () => {
    expect(manifestOf(kind, policySpec.parse({ ...base, priority: 7, active: true }))).toEqual({
      kind: 'Policy',
      ...base,
      schedules: [{ name: 'full', type: 'full' }],
      priority: 7,
    });
    const keys = Object.keys(manifestOf(kind, policySpec.parse({ priority: 7, ...base })));
    expect(keys).toEqual(['kind', 'name', 'clients', 'selections', 'schedules', 'priority']);
  });

  it('is what `apply` takes, and applying it changes nothing', () => {
    const policy = fc
      .record(
        {
          name,
          clients: fc.array(name, { minLength: 1, maxLength: 3 }),
          selections: fc.array(
            fc.string({ minLength: 1, maxLength: 12 }).map((text) => `/${text}`),
            { minLength: 1, maxLength: 3 },
          ),
          active: fc.boolean(),
          excludes: fc.array(fc.string({ minLength: 1 }), { maxLength: 3 }),
          storage: name,
          priority: fc.nat(99_999),
          crossMountPoints: fc.boolean(),
          compressionLevel: fc.integer({ min: 1, max: 19 }),
          timeZone: fc.constantFrom('UTC', 'Europe/Berlin'),
          jobsMax: fc.integer({ min: 1, max: 10_000 }),
          effectiveFrom: fc.constant('2026-12-01T00:00:00.000Z'),
          hooks: fc.constantFrom({}, { before: { script: 'quiesce', timeoutSeconds: 300 } }),
          retry: fc.constant({ tries: 2, periodHours: 12, delayMinutes: 10 }),
          schedules: fc
            .uniqueArray(name, { minLength: 1, maxLength: 3 })
            .map((names) => names.map((one, i) => ({ name: one, type: 'full', ...WHEN[i] }))),
        },
        { requiredKeys: ['name', 'clients', 'selections'] },
      )
      .map((spec) => policySpec.parse(spec));
    fc.assert(
      fc.property(policy, fc.constantFrom('yaml', 'json'), (spec, format) => {
        const manifest = manifestOf(kind, spec);
        const text = format === 'yaml' ? stringify(manifest) : JSON.stringify(manifest);
        const { manifests, problems } = parseManifests({ name: 'f', text });
        expect(problems).toEqual([]);
        expect(differences(spec, manifests[0]!.spec)).toEqual([]);
      }),
    );
  });
});
