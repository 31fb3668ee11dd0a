import fc from 'fast-check';
import type { FragmentCommit, Verdict } from '#contracts/fragment.js';
import { uuidOf } from '#kernel/ids.js';
import { judge, mayCommit, type Fence } from '../domain/verdict.js';
import { commitOf } from './commit.js';

/** The catalog in memory: what the tables and their unique keys do. */
export class CommitModel {
  readonly rows = new Map<string, FragmentCommit>();

  constructor(readonly fences: ReadonlyMap<string, Fence>) {}

  deliver(batch: readonly FragmentCommit[]): Verdict[] {
    const fenceOf = ({ imageId }: FragmentCommit) => this.fences.get(imageId);
    for (const commit of batch.filter((each) => mayCommit(each, fenceOf(each)))) {
      const isFree = !this.rows.has(commit.fragmentId) && !this.holder(commit);
      if (isFree) this.rows.set(commit.fragmentId, commit);
    }
    return batch.map((commit) => {
      const existing = { same: this.rows.get(commit.fragmentId), holder: this.holder(commit) };
      return judge(commit, existing, fenceOf(commit));
    });
  }

  private holder(of: FragmentCommit): FragmentCommit | undefined {
    return [...this.rows.values()].find((row) => slot(row) === slot(of));
  }
}

export const slot = ({ imageId, number }: FragmentCommit) => `${imageId}/${number}`;

/** An attempt writes each number once, so its fragments are known by image, number and attempt. */
function fragmentOf(prefix: string, place: readonly [number, number, number]): FragmentCommit {
  const [image, number, attempt] = place;
  const imageId = `${prefix}${image}`;
  const fragmentId = uuidOf(`${imageId} ${number} ${attempt}`);
  return { ...commitOf({ imageId }), fragmentId, number, attempt };
}

const places = fc.uniqueArray(
  fc.tuple(
    fc.integer({ min: 1, max: 3 }),
    fc.integer({ min: 1, max: 4 }),
    fc.integer({ min: 1, max: 3 }),
  ),
  { minLength: 1, maxLength: 20, selector: (place) => place.join() },
);
/**
 * Fragments of the images `<prefix>1` to `<prefix>3`, some of them several times, in any order, cut
 * into batches anywhere. `offers` holds each once.
 */
export function deliveries(prefix: string) {
  return places.chain((all) => offersOf(all.map((place) => fragmentOf(prefix, place))));
}

function offersOf(offers: FragmentCommit[]) {
  return fc.record({
    offers: fc.constant(offers),
    order: fc
      .array(fc.constantFrom(...offers), { maxLength: 20 })
      .chain((again) => fc.shuffledSubarray([...offers, ...again], { minLength: offers.length })),
    cuts: fc.array(fc.integer({ min: 1, max: 6 }), { minLength: 1, maxLength: 40 }),
  });
}

export function batchesOf<T>(order: readonly T[], cuts: readonly number[]): T[][] {
  const batches: T[][] = [];
  for (let at = 0, turn = 0; at < order.length; turn += 1) {
    const size = cuts[turn % cuts.length]!;
    batches.push(order.slice(at, at + size));
    at += size;
  }
  return batches;
}
