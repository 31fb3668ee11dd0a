import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { resources, server, unit } from '../testing/sample-resources.js';
import { isFull, markChanges } from './water-marks.js';

const marks = { full: false, highWaterPercent: 90, lowWaterPercent: 70 };
const used = (percent: number) => ({
  ...{ freeBytes: 100 - percent, totalBytes: 100, drives: null },
});

describe('a storage unit', () => {
  it('is full from its high water mark until below its low one', () => {
    expect(isFull(marks, used(89))).toBe(false);
    expect(isFull(marks, used(90))).toBe(true);
    const full = { ...marks, full: true };
    expect(isFull(full, used(70))).toBe(true);
    expect(isFull(full, used(69))).toBe(false);
  });

  it('between its marks stays what it was, whatever came before', () => {
    const percent = fc.integer({ min: 70, max: 89 });
    fc.assert(
      fc.property(fc.boolean(), fc.array(percent, { minLength: 1 }), (full, all) => {
        const end = all.reduce((is, each) => isFull({ ...marks, full: is }, used(each)), full);
        expect(end).toBe(full);
      }),
    );
  });

  it('stays what it was while its volume is away, and is never full where no size is known', () => {
    expect(isFull({ ...marks, full: true }, undefined)).toBe(true);
    const away = { freeBytes: 0, totalBytes: 0, drives: null, trouble: 'EIO' };
    expect(isFull({ ...marks, full: true }, away)).toBe(true);
    expect(isFull(marks, { freeBytes: 0, totalBytes: 0, drives: null })).toBe(false);
    expect(isFull(marks, { freeBytes: 0, totalBytes: 100, drives: 2 })).toBe(false);
  });
});

describe('the units that change', () => {
  it('are those alone that have crossed a mark of their own', () => {
    const all = resources(
      [server('m1', { pools: { disk: used(95) } })],
      [unit('low', { highWaterPercent: 90 }), unit('high'), unit('was', { full: true })],
    );
    expect(markChanges(all).map(({ name, full }) => [name, full])).toEqual([['low', true]]);
  });
});
