import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { confirmGrant } from '../confirmed-grant.js';
import { fragmentName, manifestOf, patternBytes } from '../testing/fragments.js';
import { SequentialFixture } from '../testing/sequential-fixture.js';
import type { LibraryStep } from './sequential-library.js';

const step = fc.oneof(
  { weight: 6, arbitrary: fc.record({ type: fc.constant('write' as const), seed: fc.nat(200) }) },
  {
    weight: 14,
    arbitrary: fc.record({
      type: fc.constantFrom<'trash' | 'back' | 'empty'>(
        'trash',
        'trash',
        'trash',
        'back',
        'empty',
        'empty',
        'empty',
      ),
      seed: fc.nat(200),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      type: fc.constantFrom<LibraryStep>('medium-written', 'medium-marked', 'position-journalled'),
      seed: fc.nat(200),
    }),
  },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('restart' as const), seed: fc.nat(1) }) },
);
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

const tombstoneOf = (seed: number) =>
  `01920000-0000-7000-8000-0000000e${String(seed).padStart(4, '0')}`;
const contentOf = (seed: number) => ({
  data: patternBytes(4_000 + ((seed * 97) % 9_000), seed),
  index: patternBytes(100, seed + 1),
});

/** What may still be wanted back, and what the trash has. */
class Wanted {
  readonly there = new Set<number>();
  readonly trashed = new Set<number>();
  private next = 1;
  begunAnew = 0;

  constructor(private readonly fixture: SequentialFixture) {}

  async run({ type, seed }: Step): Promise<void> {
    const { store } = this.fixture;
    const one = pick(type === 'trash' ? this.there : this.trashed, seed);
    switch (type) {
      case 'write':
        return this.write();
      case 'restart':
        return this.fixture.reopen();
      case 'trash': {
        if (one === undefined) return;
        const removal = { fragmentId: fragmentName(one).fragmentId, tombstoneId: tombstoneOf(one) };
        await store.remove(confirmGrant(removal, { confirmed: true })!, fragmentName(one));
        this.there.delete(one);
        this.trashed.add(one);
        return;
      }
      case 'back':
        if (one === undefined) return;
        await store.takeBack(tombstoneOf(one), fragmentName(one));
        this.trashed.delete(one);
        this.there.add(one);
        return;
      case 'empty':
        if (one === undefined) return;
        await store.emptyTrash(tombstoneOf(one));
        this.trashed.delete(one);
        return;
      default:
        return this.die(type);
    }
  }

  /** Every fragment that is not gone for good gives all its bytes, from the trash too. */
  async areWhole(): Promise<boolean> {
    for (const seed of [...this.there, ...this.trashed]) {
      const found = this.fixture.library.state.fragments.get(fragmentName(seed).fragmentId)!;
      const { data } = contentOf(seed);
      const range = { object: 'data', offset: 0, length: data.length } as const;
      if (!(await this.fixture.library.read(found, range)).equals(data)) return false;
    }
    return true;
  }

  private async write(): Promise<void> {
    const seed = (this.next += 1);
    const name = fragmentName(seed);
    const content = contentOf(seed);
    const volumes = new Set(this.fixture.library.state.volumes.keys());
    const writer = await this.fixture.store.create(name);
    try {
      await writer.writeData([content.data]);
      await writer.writeIndex([content.index]);
      await writer.seal(manifestOf(name, content));
      this.there.add(seed);
    } catch (error) {
      expect(error).toMatchObject({ status: 96 });
    } finally {
      await writer.abandon();
    }
    const isNew = [...this.fixture.library.state.volumes.keys()].some((one) => !volumes.has(one));
    if (isNew && volumes.size === 2) this.begunAnew += 1;
  }

  /** A process that dies while it writes, and its successor. */
  private async die(at: LibraryStep): Promise<void> {
    const seed = (this.next += 1);
    const name = fragmentName(seed);
    const content = contentOf(seed);
    this.fixture.onStep = (reached) => {
      if (reached === at) throw new Error('died');
    };
    const writer = await this.fixture.store.create(name);
    const sealing = async () => {
      await writer.writeData([content.data]);
      await writer.writeIndex([content.index]);
      await writer.seal(manifestOf(name, content));
    };
    await expect(sealing()).rejects.toThrow();
    await writer.abandon();
    this.fixture.onStep = () => undefined;
    await this.fixture.reopen();
    if ((await this.fixture.store.stat(name))?.state === 'sealed') this.there.add(seed);
  }
}

function pick(from: ReadonlySet<number>, seed: number): number | undefined {
  return [...from][seed % Math.max(1, from.size)];
}

/** Both volumes filled, all on them deleted for good, and written on. */
const ALL_GONE: Step[] = [
  ...Array.from({ length: 6 }, () => ({ type: 'write' as const, seed: 0 })),
  ...Array.from({ length: 6 }, () => ({ type: 'trash' as const, seed: 0 })),
  ...Array.from({ length: 6 }, () => ({ type: 'empty' as const, seed: 0 })),
  ...Array.from({ length: 3 }, () => ({ type: 'write' as const, seed: 0 })),
];

describe('A library on which volumes begin anew', () => {
  it('gives every byte that is not gone by its tombstone, whatever happens', async () => {
    let begunAnew = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 40, maxLength: 50 }), async (steps) => {
        const shape = { cartridges: 2, capacityBytes: 26_000, drives: 1 };
        const fixture = await SequentialFixture.start(shape);
        try {
          const wanted = new Wanted(fixture);
          for (const one of steps) {
            await wanted.run(one);
            if (one.type === 'write') expect(await wanted.areWhole()).toBe(true);
          }
          expect(await wanted.areWhole()).toBe(true);
          begunAnew += wanted.begunAnew;
        } finally {
          await fixture.dispose();
        }
      }),
      { numRuns: 4, endOnFailure: true, examples: [[ALL_GONE]] },
    );
    expect(begunAnew).toBeGreaterThan(0);
  });
});
