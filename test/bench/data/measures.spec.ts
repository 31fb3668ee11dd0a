import { describe, expect, it } from '@jest/globals';
import type { Step } from './data-tool.js';
import { Figures } from './figures.js';
import { measuresOf } from './measures.js';

function figuresOf(tool: string, seconds: Partial<Record<Step, number[]>>): Figures {
  const figures = new Figures('small', tool);
  for (const [step, rounds] of Object.entries(seconds)) {
    for (const each of rounds) {
      figures.add(step as Step, {
        ...{ seconds: each, cpuSeconds: 2 * each, cpuOf: {}, othersCpuSeconds: 0 },
        ...{ peakMib: 10 * each, allPeakMib: 20 * each },
      });
    }
  }
  return figures;
}

const row = (all: readonly Figures[], measure: string) =>
  measuresOf('small', all).find((one) => one.measure === measure);

describe('the rows of a corpus', () => {
  const ours = figuresOf('holdfast', { full: [9, 3, 4], 'duplicate across': [2] });
  const bacula = figuresOf('Bacula', { full: [11, 10, 1], duplicate: [8] });
  const tar = figuresOf('tar', { full: [1] });
  const all = [ours, bacula, figuresOf('restic', { full: [20] }), tar];

  it('hold medians, and compare with the fastest rival, which tar is not', () => {
    expect(row(all, 'small: full')).toEqual({
      ...{ measure: 'small: full', unit: 's', ours: 4 },
      peers: { Bacula: 10, restic: 20, tar: 1 },
      ...{ ratio: 0.4, goal: 'at most 0.4 of the best', met: true },
    });
    expect(row(all, 'small: full, CPU')).toMatchObject({ ours: 8, goal: '-', met: null });
  });

  it('say nothing of what we have not done, or nobody else', () => {
    expect(row(all, 'small: restore')).toBeUndefined();
    expect(row([ours, tar], 'small: full')).toMatchObject({ ratio: null, met: null });
    expect(measuresOf('small', [bacula, tar])).toEqual([]);
    expect(measuresOf('large', all)).toEqual([]);
  });

  it('set a duplication across beside the only one that others have', () => {
    expect(row(all, 'small: duplicate across')).toMatchObject({
      ...{ ours: 2, peers: { Bacula: 8 }, ratio: 0.25, met: true },
    });
  });

  it('hold the most memory of any step', () => {
    const [one, other] = ['data path', 'all processes'].map((of) =>
      row(all, `small: peak memory of ${of === 'data path' ? 'the data path' : of}`),
    );
    expect(one).toMatchObject({ ours: 90, peers: { Bacula: 110 }, met: true });
    expect(other).toMatchObject({ ours: 180, met: null });
  });

  it('hold ours twice, on volumes that deduplicate and on others, never one beside the other', () => {
    const dedup = figuresOf('holdfast-dedup', { full: [5] });
    const both = [...all, dedup];
    expect(row(both, 'small: full')).toEqual(row(all, 'small: full'));
    expect(row(both, 'small, deduplicated: full')).toEqual({
      ...{ measure: 'small, deduplicated: full', unit: 's', ours: 5 },
      peers: { Bacula: 10, restic: 20, tar: 1 },
      ...{ ratio: 0.5, goal: 'at most 0.4 of the best', met: false },
    });
  });

  it('compare what is stored with restic', () => {
    const restic = figuresOf('restic', { full: [1] });
    ours.addStored('full', 200);
    bacula.addStored('full', 100);
    restic.addStored('full', 150);
    expect(row([ours, bacula, restic], 'small: stored after full')).toMatchObject({
      ...{ ours: 200, ratio: 200 / 150, goal: 'at most 1.15 of restic', met: false },
    });
  });
});
