import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { copy, NOW, read, resources, server, unit, write } from '../../testing/sample-resources.js';
import { plan } from './plan.js';
import type { WaitingRequest } from '../resource-request.js';
import type { UnitResource } from '../resources.js';

describe('a read of several copies', () => {
  const all = resources([server('m1'), server('m2', { down: true }), server('m3')], []);
  const readAny = (anyOf: string[][]) => ({ ...read(1, ['m1', 'm2', 'm3']), anyOf });

  it('needs one server of each set, and gets all that are up', () => {
    const { grants } = plan([readAny([['m1', 'm2'], ['m3']])], all, NOW);
    expect(grants[0]?.place).toEqual({ unit: null, media: ['m1', 'm3'] });
  });

  it('waits where nobody has a part of it, and needs every server where nothing else is said', () => {
    expect(plan([readAny([['m1'], ['m2']])], all, NOW).waits[0]?.reason).toMatch(/m2 is down/);
    expect(plan([read(1, ['m1', 'm2'])], all, NOW).waits[0]?.reason).toMatch(/m2 is down/);
  });
});

describe('a write that reads from others, too', () => {
  const all = resources([server('m1'), server('m2', { down: true }), server('m3')], [unit('one')]);
  const readsFrom = (job: number, anyOf: string[][]) => ({ ...write(job, 'one'), anyOf });

  it('gets its unit, and behind its server those that are up', () => {
    const { grants } = plan([readsFrom(1, [['m1', 'm2'], ['m3']])], all, NOW);
    expect(grants[0]?.place).toEqual({ unit: 'one', media: ['m1', 'm3'] });
  });

  it('waits where nobody has a part of it, with no claim to the unit meanwhile', () => {
    const limited = { policy: 'p', policyJobsMax: 1 };
    const queuedAt = new Date(NOW.getTime() - 1e9);
    const old = { ...readsFrom(1, [['m1'], ['m2']]), ...limited, queuedAt };
    const { grants, waits } = plan([old, { ...write(2, 'one'), ...limited }], all, NOW);
    expect(waits[0]?.reason).toMatch(/m2 is down/);
    expect(grants.map(({ job }) => job)).toEqual([2]);
  });
});

describe('a pool whose volumes cannot be used', () => {
  it('gets no jobs, says which folder it is, and keeps none from the others', () => {
    const away = { freeBytes: 0, totalBytes: 0, drives: null, trouble: '/mnt/a: EIO' };
    const there = { freeBytes: 50, totalBytes: 100, drives: null };
    const all = resources(
      [server('m1', { pools: { disk: away, far: there } })],
      [unit('one'), unit('two', { pool: 'far' })],
    );
    const { grants, waits } = plan([write(1, 'one'), write(2, 'two')], all, NOW);
    expect(waits[0]?.reason).toMatch(/m1 cannot use its volume of pool disk: \/mnt\/a: EIO/);
    expect(grants.map(({ job }) => job)).toEqual([2]);
  });
});

describe('a duplication', () => {
  const servers = [server('m1'), server('m2', { pools: ['far'] }), server('m3', { down: true })];
  const far = (name: string, options: Partial<UnitResource> = {}) =>
    unit(name, { mediaId: 'm2', pool: 'far', ...options });

  it('gets a slot of a unit of its pool, and the sources that are up', () => {
    const all = resources(servers, [unit('default'), far('remote')]);
    const { grants } = plan([copy(1, ['m3', 'm1', 'm1'])], all, NOW);
    expect(grants[0]?.place).toEqual({ unit: 'remote', media: ['m2', 'm1'] });
  });

  it('stays on a server that has the source, when that has room', () => {
    const both = [server('m1', { pools: ['disk', 'far'] }), servers[1]!];
    const near = far('near', { mediaId: 'm1', jobsMax: 1 });
    const all = resources(both, [far('away'), near]);
    const { grants } = plan([copy(1, ['m1']), copy(2, ['m1'])], all, NOW);
    expect(grants.map(({ place }) => place)).toEqual([
      { unit: 'near', media: ['m1'] },
      { unit: 'away', media: ['m2', 'm1'] },
    ]);
  });

  it('shares the slots of a unit with those who write to it', () => {
    const all = resources(servers, [far('remote', { jobsMax: 2 })]);
    const { grants, waits } = plan(
      [copy(1, ['m1']), write(2, 'remote'), copy(3, ['m1'])],
      all,
      NOW,
    );
    expect(grants.map(({ job }) => job)).toEqual([1, 2]);
    expect(waits[0]?.reason).toBe('storage unit remote runs its maximum of 2 jobs');
  });

  it('waits for a source that is up, and holds up nobody who has one', () => {
    const all = resources(servers, [far('remote', { jobsMax: 1 })]);
    const { grants, waits } = plan([copy(1, ['m3', 'm9']), copy(2, ['m1'])], all, NOW);
    expect(grants.map(({ job }) => job)).toEqual([2]);
    expect(waits[0]?.reason).toBe(
      'no media server that has the image is up: media server m3 is down ' +
        '(last seen 2026-03-01T11:59:39.999Z); media server m9 has not reported yet',
    );
  });

  it('says of each unit of its pool why it cannot be had', () => {
    const lost = far('lost', { mediaId: 'm3' });
    const all = resources(servers, [lost, far('full', { jobsMax: 1, jobsActive: 1 })]);
    expect(plan([copy(1, ['m1'])], all, NOW).waits[0]?.reason).toBe(
      'media server m3 is down (last seen 2026-03-01T11:59:39.999Z); ' +
        'storage unit full runs its maximum of 1 job',
    );
  });
});

describe('the plan of the broker', () => {
  it('grants up to the maximum of a storage unit, and says why the rest waits', () => {
    const all = resources([server('m1')], [unit('default', { jobsMax: 2, jobsActive: 1 })]);
    const { grants, waits } = plan(
      [1, 2, 3].map((job) => write(job, 'default')),
      all,
      NOW,
    );
    expect(grants.map(({ job }) => job)).toEqual([1]);
    expect(waits.map(({ reason }) => reason)).toEqual([
      'storage unit default runs its maximum of 2 jobs',
      'storage unit default runs its maximum of 2 jobs',
    ]);
  });

  it('lets a higher priority go first, and equal ones in the order of their arrival', () => {
    const all = resources([server('m1')], [unit('default', { jobsMax: 2 })]);
    const queue = [write(1, 'default'), write(2, 'default'), write(3, 'default', { priority: 9 })];
    expect(plan(queue, all, NOW).grants.map(({ job }) => job)).toEqual([3, 1]);
  });

  it('lets a job pass that needs other resources than the one that waits', () => {
    const all = resources(
      [server('m1'), server('m2')],
      [unit('full', { jobsMax: 1, jobsActive: 1 }), unit('free', { mediaId: 'm2' })],
    );
    const { grants } = plan([write(1, 'full'), write(2, 'free'), read(3, ['m1'])], all, NOW);
    expect(grants.map(({ job }) => job)).toEqual([2, 3]);
  });

  it('has jobs wait for a media server that is down or has lost its volume', () => {
    const all = resources(
      [server('m1', { down: true }), server('m2', { pools: [] })],
      [unit('default'), unit('second', { mediaId: 'm2' })],
    );
    const { waits } = plan(
      [write(1, 'default'), write(2, 'second'), read(3, ['m2', 'm1'])],
      all,
      NOW,
    );
    expect(waits.map(({ reason }) => reason)).toEqual([
      'media server m1 is down (last seen 2026-03-01T11:59:39.999Z)',
      'media server m2 has no volume of pool disk',
      'media server m1 is down (last seen 2026-03-01T11:59:39.999Z)',
    ]);
  });

  it('grants nothing more when a maximum was lowered below what runs', () => {
    const all = resources([server('m1')], [unit('default', { jobsMax: 1, jobsActive: 3 })]);
    expect(plan([write(1, 'default')], all, NOW).grants).toEqual([]);
  });
});

const MEDIA = ['m1', 'm2', 'm3'];
const UNITS = ['u1', 'u2', 'u3', 'u4'];

const anyServers = fc
  .tuple(
    ...MEDIA.map((id) => fc.tuple(fc.boolean(), fc.subarray(['disk', 'fast']), fc.constant(id))),
  )
  .map((all) => all.map(([down, pools, id]) => server(id, { down, pools })));

const anyUnits = fc
  .tuple(
    ...UNITS.map((name) =>
      fc.record({
        name: fc.constant(name),
        mediaId: fc.constantFrom(...MEDIA),
        pool: fc.constantFrom('disk', 'fast'),
        jobsMax: fc.integer({ min: 1, max: 5 }),
        jobsActive: fc.integer({ min: 0, max: 6 }),
      }),
    ),
  )
  .map((all) => all.map((one) => unit(one.name, one)));

const anyNeed = fc.oneof(
  fc.constantFrom(...UNITS).map((name) => (job: number) => write(job, name)),
  fc.subarray(MEDIA, { minLength: 1 }).map(
    (media) =>
      (job: number): WaitingRequest =>
        read(job, media),
  ),
  fc.tuple(fc.subarray(MEDIA, { minLength: 1 }), fc.constantFrom('disk', 'fast')).map(
    ([sources, pool]) =>
      (job: number): WaitingRequest =>
        copy(job, sources, { pool }),
  ),
);

const anyQueue = fc
  .array(fc.tuple(anyNeed, fc.integer({ min: 0, max: 2 })), { maxLength: 40 })
  .map((all) => all.map(([need, priority], index) => ({ ...need(index + 1), priority })));

const anyResources = fc.tuple(anyServers, anyUnits).map(([s, u]) => resources(s, u));

function needs(request: WaitingRequest): string {
  if (request.purpose === 'write') return request.unit;
  if (request.purpose === 'read') return [...request.media].sort().join();
  return `${request.pool} ${[...request.sources].sort().join()}`;
}

describe('any plan', () => {
  it('has every request in one of its two lists, and a reason for each that waits', () => {
    fc.assert(
      fc.property(anyQueue, anyResources, (queue, all) => {
        const { grants, waits } = plan(queue, all, NOW);
        const seen = [...grants, ...waits.map(({ request }) => request)].map(({ job }) => job);
        expect(seen.sort((a, b) => a - b)).toEqual(queue.map(({ job }) => job));
        expect(waits.every(({ reason }) => reason.length > 0)).toBe(true);
      }),
    );
  });

  it('exceeds no limit and uses nothing that is down or absent', () => {
    fc.assert(
      fc.property(anyQueue, anyResources, (queue, all) => {
        const { grants } = plan(queue, all, NOW);
        for (const each of all.units.values()) {
          const writers = grants.filter(({ place }) => place.unit === each.name);
          const free = Math.max(0, each.jobsMax - each.jobsActive);
          expect(writers.length).toBeLessThanOrEqual(free);
          if (writers.length > 0) {
            expect(all.servers.get(each.mediaId)?.pools.has(each.pool)).toBe(true);
            expect(all.servers.get(each.mediaId)?.lastSeenAt).toEqual(NOW);
          }
        }
        for (const grant of grants) {
          for (const id of grant.place.media) {
            expect(all.servers.get(id)?.lastSeenAt).toEqual(NOW);
          }
        }
      }),
    );
  });

  it('lets nobody overtake one of the same or a higher priority that needs the same', () => {
    fc.assert(
      fc.property(anyQueue, anyResources, (queue, all) => {
        const { grants, waits } = plan(queue, all, NOW);
        for (const { request } of waits) {
          const overtakers = grants.filter(
            (grant) =>
              needs(grant) === needs(request) &&
              (grant.priority < request.priority ||
                (grant.priority === request.priority && grant.arrival > request.arrival)),
          );
          expect(overtakers).toEqual([]);
        }
      }),
    );
  });

  it('leaves nothing idle that one of the waiting jobs could use', () => {
    fc.assert(
      fc.property(anyQueue, anyResources, (queue, all) => {
        const { grants, waits } = plan(queue, all, NOW);
        const units = [...all.units.values()].map((each) => ({
          ...each,
          jobsActive:
            each.jobsActive + grants.filter(({ place }) => place.unit === each.name).length,
        }));
        const left = { ...all, units: new Map(units.map((each) => [each.name, each])) };
        const still = waits.map(({ request }) => request);
        expect(plan(still, left, NOW).grants).toEqual([]);
      }),
    );
  });

  it('does not depend on the order in which the queue was read', () => {
    const shuffled = anyQueue.chain((queue) =>
      fc.tuple(
        fc.constant(queue),
        fc.shuffledSubarray(queue, { minLength: queue.length, maxLength: queue.length }),
      ),
    );
    fc.assert(
      fc.property(shuffled, anyResources, ([queue, other], all) => {
        expect(plan(other, all, NOW)).toEqual(plan(queue, all, NOW));
      }),
    );
  });

  it('starves nobody within a priority, however many come after', () => {
    const options = {
      queue: fc.integer({ min: 1, max: 20 }),
      slots: fc.integer({ min: 1, max: 4 }),
    };
    fc.assert(
      fc.property(fc.record(options), ({ queue, slots }) => {
        const all = resources([server('m1')], [unit('default', { jobsMax: slots })]);
        let waiting: WaitingRequest[] = Array.from({ length: queue }, (_, index) =>
          write(index + 1, 'default'),
        );
        let next = queue + 1;
        let rounds = 0;
        // In each round all that run end, and as many as there are slots come anew.
        for (; waiting.some(({ job }) => job === queue); rounds += 1) {
          waiting = plan(waiting, all, NOW).waits.map(({ request }) => request);
          for (let come = 0; come < slots; come += 1) waiting.push(write(next++, 'default'));
        }
        expect(rounds).toBe(Math.ceil(queue / slots));
      }),
    );
  });
});
