import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { ChunkWorld } from '../testing/chunk-world.js';

type Work =
  | { readonly do: 'backup'; readonly seeds: readonly number[]; readonly breaksOff: boolean }
  | { readonly do: 'remove' | 'takeBack' | 'emptyTrash'; readonly nth: number }
  | { readonly do: 'collect' | 'readAll' };

type Step =
  | { readonly kind: 'work'; readonly work: Work; readonly crashAfter: number }
  | { readonly kind: 'together'; readonly works: readonly Work[]; readonly crashAfter: number }
  | {
      readonly kind: 'meanwhile';
      readonly seeds: readonly number[];
      readonly works: readonly Work[];
      readonly crashAfter: number;
    }
  | { readonly kind: 'reopen'; readonly lost: 'nothing' | 'index' | 'references' };

const seeds = fc.array(fc.integer({ min: 0, max: 24 }), { minLength: 1, maxLength: 12 });
const nth = fc.nat({ max: 5 });
const work: fc.Arbitrary<Work> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({ do: fc.constant('backup' as const), seeds, breaksOff: fc.boolean() }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constantFrom('remove' as const, 'takeBack' as const, 'emptyTrash' as const),
      nth,
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ do: fc.constantFrom('collect' as const, 'readAll' as const) }),
  },
);
/** Most of the time after so few steps that it is in the middle of the work. */
const crashAfter = fc.oneof(fc.nat({ max: 6 }), fc.constant(1_000));
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('work' as const), work, crashAfter }) },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('together' as const),
      works: fc.array(work, { minLength: 2, maxLength: 4 }),
      crashAfter,
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('meanwhile' as const),
      seeds,
      works: fc.array(work, { minLength: 1, maxLength: 4 }),
      crashAfter,
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('reopen' as const),
      lost: fc.constantFrom('nothing' as const, 'index' as const, 'references' as const),
    }),
  },
);

describe('A chunk store, whatever is done and wherever it is cut off,', () => {
  it.each([
    ['an index in memory', false, 100],
    ['an index on disk', true, 50],
  ])('keeps what it has acknowledged and counts it exactly, with %s', async (_, onDisk, runs) => {
    let crashes = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { minLength: 4, maxLength: 14 }),
        fc.nat(),
        async (steps, seed) => {
          const world = await ChunkWorld.create(onDisk, seed);
          try {
            for (const one of steps) {
              await perform(world, one);
              await world.check();
            }
            await world.checkNothingLeaks();
            crashes += world.crashes;
          } finally {
            await world.dispose();
          }
        },
      ),
      { numRuns: runs },
    );
    expect(crashes).toBeGreaterThan(runs);
  });
});

async function perform(world: ChunkWorld, step: Step): Promise<void> {
  switch (step.kind) {
    case 'work':
      return world.attempt(() => run(world, step.work), step.crashAfter);
    case 'together':
      return world.attempt(() => all(world, step.works), step.crashAfter);
    case 'meanwhile':
      return world.attempt(async () => {
        await world.slowBackup(step.seeds, () => all(world, step.works));
      }, step.crashAfter);
    case 'reopen':
      return world.reopen(step.lost);
    default:
      return step satisfies never;
  }
}

/** At once, but for two collections: there is one at a time. */
async function all(world: ChunkWorld, works: readonly Work[]): Promise<void> {
  const collections = works.filter((one) => one.do === 'collect').slice(1);
  const rest = works.filter((one) => !collections.includes(one));
  await Promise.all(rest.map((one) => run(world, one)));
}

function run(world: ChunkWorld, one: Work): Promise<void> {
  switch (one.do) {
    case 'backup':
      return world.backup(one.seeds, one.breaksOff);
    case 'remove':
      return world.remove(one.nth);
    case 'takeBack':
      return world.takeBack(one.nth);
    case 'emptyTrash':
      return world.emptyTrash(one.nth);
    case 'collect':
      return world.collect();
    case 'readAll':
      return world.readAll();
    default:
      return one satisfies never;
  }
}
