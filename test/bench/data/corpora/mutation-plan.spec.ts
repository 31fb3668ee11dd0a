import { describe, expect, it } from '@jest/globals';
import { planFiles, planRegions } from './mutation-plan.js';

const MIB = 2 ** 20;
const files = Array.from({ length: 2_000 }, (_, n) => ({ path: `d${n % 7}/f${n}`, bytes: n }));

describe('the plan for small files', () => {
  const plan = planFiles(files, 1);
  const of = { edits: 20, additions: 10, deletions: 10, renames: 10 };

  it('edits 1 %, and adds, deletes and renames 0.5 % each', () => {
    const counts = Object.entries(plan).map(([what, list]) => [what, list.length]);
    expect(Object.fromEntries(counts)).toEqual(of);
  });

  it('names no file twice, and no new name that is taken', () => {
    const { edits, additions, deletions, renames } = plan;
    const touched = [
      ...edits.map(({ path }) => path),
      ...additions.map((one) => one.of),
      ...deletions,
      ...renames.map(({ path }) => path),
    ];
    expect(new Set(touched).size).toBe(50);
    const made = [...additions.map(({ path }) => path), ...renames.map(({ to }) => to)];
    expect(new Set([...made, ...files.map(({ path }) => path)]).size).toBe(20 + files.length);
  });

  it('is the same for the same seed, and another for another', () => {
    expect(planFiles(files, 1)).toEqual(plan);
    expect(planFiles(files, 2)).not.toEqual(plan);
  });

  it('edits within each file or at its end, and removes nothing behind that', () => {
    const bytes = new Map(files.map((file) => [file.path, file.bytes]));
    for (const { path, at, removes } of plan.edits) {
      expect(at + removes).toBeLessThanOrEqual(bytes.get(path)!);
    }
    expect(plan.edits.some(({ path, at }) => at < bytes.get(path)!)).toBe(true);
    expect(plan.edits.some(({ path, at }) => at === bytes.get(path)!)).toBe(true);
  });

  it('has one of each where there are few files, and refuses fewer than that', () => {
    const few = planFiles(files.slice(0, 4), 1);
    expect(Object.values(few).map((list) => list.length)).toEqual([1, 1, 1, 1]);
    expect(() => planFiles(files.slice(0, 3), 1)).toThrow('3 are too few to choose 4 of.');
  });
});

describe('the plan for large files', () => {
  const large = [
    { path: 'a', bytes: 400 * MIB + 5 },
    { path: 'b', bytes: 3 * MIB },
    { path: 'c', bytes: MIB - 1 },
  ];

  it('overwrites 1 % of the mebibytes of each, at least one, and none that is not whole', () => {
    const { regions, bytes } = planRegions(large, 1);
    const byFile = large.map(({ path }) => regions.filter((one) => one.path === path).length);
    expect([bytes, byFile]).toEqual([MIB, [4, 1, 0]]);
    for (const { path, offset } of regions) {
      expect(offset % MIB).toBe(0);
      expect(offset + MIB).toBeLessThanOrEqual(large.find((one) => one.path === path)!.bytes);
    }
    expect(new Set(regions.map(({ path, offset }) => `${path} ${offset}`)).size).toBe(5);
  });

  it('is the same for the same seed, and another for another', () => {
    expect(planRegions(large, 4)).toEqual(planRegions(large, 4));
    expect(planRegions(large, 4).regions).not.toEqual(planRegions(large, 5).regions);
  });
});
