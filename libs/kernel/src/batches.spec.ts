import { describe, expect, it } from '@jest/globals';
import { Batches } from './batches.js';

/** Doubles numbers; refuses 13, and whatever comes together with 7. With 5 the database is away. */
function doubling(options: {
  batchMax: number;
  parallelMax: number;
  keyOf?: (item: number) => string;
}) {
  const batches: (readonly number[])[] = [];
  const run = async (items: readonly number[]) => {
    batches.push(items);
    await Promise.resolve();
    if (items.includes(7)) throw new Error('7 breaks everything');
    if (items.includes(5)) throw Object.assign(new Error('away'), { code: 'ECONNREFUSED' });
    return items.map((item) => () => {
      if (item === 13) throw new Error('13 is refused');
      return item * 2;
    });
  };
  return { batches, doubled: new Batches<number, number>({ ...options, run }) };
}

describe('batches', () => {
  it('begin at once, and take together what comes meanwhile', async () => {
    const { batches, doubled } = doubling({ batchMax: 3, parallelMax: 1 });
    const answers = await Promise.all([1, 2, 3, 4, 6].map((n) => doubled.add(n)));
    expect(answers).toEqual([2, 4, 6, 8, 12]);
    expect(batches).toEqual([[1], [2, 3, 4], [6]]);
  });

  it('never take two of the same key together', async () => {
    const keyOf = (n: number) => String(n % 10);
    const { batches, doubled } = doubling({ batchMax: 9, parallelMax: 1, keyOf });
    const answers = await Promise.all([1, 2, 12, 3, 22].map((n) => doubled.add(n)));
    expect(answers).toEqual([2, 4, 24, 6, 44]);
    expect(batches).toEqual([[1], [2, 3], [12], [22]]);
  });

  it('answer one item with its own error', async () => {
    const { doubled } = doubling({ batchMax: 9, parallelMax: 1 });
    const answers = await Promise.allSettled([1, 13, 2].map((n) => doubled.add(n)));
    expect(answers.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
  });

  it('do alone what cannot be done together', async () => {
    const { batches, doubled } = doubling({ batchMax: 9, parallelMax: 1 });
    const answers = await Promise.allSettled([1, 2, 7, 3].map((n) => doubled.add(n)));
    expect(answers.map(({ status }) => status)).toEqual([
      ...['fulfilled', 'fulfilled', 'rejected', 'fulfilled'],
    ]);
    expect(batches).toEqual([[1], [2, 7, 3], [2], [7], [3]]);
  });

  it('do not try each one of many when nothing works', async () => {
    const { batches, doubled } = doubling({ batchMax: 9, parallelMax: 1 });
    const answers = await Promise.allSettled([1, 5, 5, 5, 5, 5].map((n) => doubled.add(n)));
    expect(answers.filter(({ status }) => status === 'rejected')).toHaveLength(5);
    expect(batches).toEqual([[1], [5, 5, 5, 5, 5], [5], [5]]);
  });

  it('try each one where others cannot be done, however many', async () => {
    const { doubled } = doubling({ batchMax: 9, parallelMax: 1 });
    const answers = await Promise.allSettled([1, 7, 7, 7, 2, 3].map((n) => doubled.add(n)));
    expect(answers.map(({ status }) => status)).toEqual([
      ...['fulfilled', 'rejected', 'rejected', 'rejected', 'fulfilled', 'fulfilled'],
    ]);
  });
});
